// Reading and writing a descriptor by iostreams, or line by line, with safe points.
#pragma once

#include <cstddef>
#include <streambuf>
#include <string>
#include <vector>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

class fdbuf;
SIGPP_EXPORT bool getline(fdbuf& from, std::string& line, char end);

/// A stream buffer over a descriptor, which it does not own. Each wait in it is a safe point, as
/// read() and write() of <sigpp/io.hpp>. Python: what io.BufferedReader does.
///
/// What handlers throw passes through the buffer itself, and through getline() below. std::istream
/// and std::ostream catch it and set badbit, unless `stream.exceptions(std::ios::badbit)` says
/// otherwise. Nothing that was read or is to be written is lost by an exception. The destructor
/// writes what is left, as far as it can, and is no safe point. Threads: one at a time.
class SIGPP_EXPORT fdbuf : public std::streambuf {
 public:
  explicit fdbuf(int fd);
  ~fdbuf() override;
  fdbuf(const fdbuf&) = delete;
  fdbuf& operator=(const fdbuf&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_; }

 protected:
  int_type underflow() override;
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize length) override;
  int sync() override;

 private:
  friend bool getline(fdbuf& from, std::string& line, char end);
  bool fill();
  void set_put(char* begin, std::size_t length);
  void flush();

  int fd_;
  std::vector<char> in_;
  std::vector<char> out_;
};

/// The next line, without its end, into `line`; false at the end of the file, when nothing is left.
/// An exception leaves what had come of the line in the buffer, for the next call. Python:
/// readline; C++: std::getline, which stdin's buffer makes deaf to signals.
bool getline(fdbuf& from, std::string& line, char end);
inline bool getline(fdbuf& from, std::string& line) { return getline(from, line, '\n'); }

}  // namespace sigpp::inline v1
