#include <sigpp/stream.hpp>

#include <algorithm>
#include <climits>
#include <cstring>
#include <span>
#include <string_view>

#include <sigpp/io.hpp>
#include <sigpp/shield.hpp>

namespace sigpp::inline v1 {

namespace {
constexpr std::size_t chunk = 4096;
}

fdbuf::fdbuf(int fd) : fd_(fd), out_(chunk) { set_put(out_.data(), 0); }

fdbuf::~fdbuf() {
  const shield no_safe_point;
  try {
    flush();
  } catch (...) {  // a destructor does not throw
  }
}

// Reads more behind what is unread. false: the end.
bool fdbuf::fill() {
  const auto unread = static_cast<std::size_t>(egptr() - gptr());
  if (unread != 0 && gptr() != eback()) std::memmove(in_.data(), gptr(), unread);
  if (in_.size() < unread + chunk) in_.resize(std::max(2 * in_.size(), unread + chunk));
  const auto set = [&](std::size_t end) { setg(in_.data(), in_.data(), in_.data() + end); };
  set(unread);  // before the read, which may throw
  const std::size_t got = read(fd_, std::span(in_).subspan(unread));
  set(unread + got);
  return got != 0;
}

fdbuf::int_type fdbuf::underflow() {
  if (gptr() == egptr() && !fill()) return traits_type::eof();
  return traits_type::to_int_type(*gptr());
}

// What is to be written begins there, and is so long.
void fdbuf::set_put(char* begin, std::size_t length) {
  setp(begin, out_.data() + out_.size());
  for (; length > INT_MAX; length -= INT_MAX) pbump(INT_MAX);
  pbump(static_cast<int>(length));
}

void fdbuf::flush() {
  while (pptr() != pbase()) {
    const auto left = static_cast<std::size_t>(pptr() - pbase());
    const std::size_t written = write(fd_, std::string_view(pbase(), left));
    set_put(pbase() + written, left - written);
  }
  set_put(out_.data(), 0);
}

fdbuf::int_type fdbuf::overflow(int_type c) {
  flush();
  if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
  *pptr() = traits_type::to_char_type(c);
  pbump(1);
  return c;
}

// All of it is here before any of it is written, which may throw.
std::streamsize fdbuf::xsputn(const char* text, std::streamsize length) {
  const auto used = static_cast<std::size_t>(pptr() - pbase());
  const auto more = static_cast<std::size_t>(length);
  std::memmove(out_.data(), pbase(), used);
  set_put(out_.data(), used);
  if (used + more > out_.size()) out_.resize(used + more);
  std::memcpy(out_.data() + used, text, more);
  set_put(out_.data(), used + more);
  if (used + more >= chunk) flush();
  return length;
}

int fdbuf::sync() {
  flush();
  return 0;
}

bool getline(fdbuf& from, std::string& line, char end) {
  for (std::size_t searched = 0;;) {
    const char* const begin = from.gptr();
    const auto unread = static_cast<std::size_t>(from.egptr() - begin);
    const std::string_view rest(begin, unread);
    const std::size_t at = rest.find(end, searched);
    if (at != std::string_view::npos) {
      line.assign(rest.substr(0, at));
      from.setg(from.eback(), from.gptr() + at + 1, from.egptr());  // gbump() takes an int
      return true;
    }
    searched = unread;
    if (from.fill()) continue;
    if (unread == 0) return false;
    line.assign(from.gptr(), unread);
    from.setg(from.eback(), from.egptr(), from.egptr());
    return true;
  }
}

}  // namespace sigpp::inline v1
