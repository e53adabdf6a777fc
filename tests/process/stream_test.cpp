// fdbuf and getline.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include <sigpp/sigpp.hpp>

#include "support/support.hpp"
#include "support/worker.hpp"

namespace {

struct pipe_ends {
  int in = -1;
  int out = -1;
  pipe_ends() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    in = ends[0];
    out = ends[1];
  }
  void put(const std::string& text) const {
    EXPECT_EQ(::write(out, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
};

TEST(getline, lines_of_any_length_and_a_last_one_without_end) {
  const pipe_ends p;
  const std::string much(10'000, 'm');
  p.put("one\n\n" + much + "\nlast");
  ::close(p.out);
  sigpp::fdbuf buffer(p.in);
  std::string line;
  for (const std::string& wanted : {std::string("one"), std::string(), much, std::string("last")}) {
    EXPECT_TRUE(getline(buffer, line));
    EXPECT_EQ(line, wanted);
  }
  EXPECT_FALSE(getline(buffer, line));
}

// Longer than an int can tell: the line, what is written at once, and what is left of it.
TEST(getline, lines_of_more_than_2_gib) {
  if (std::getenv("SIGPP_LONG") == nullptr) GTEST_SKIP() << "it takes 8 GiB of memory";
  const pipe_ends p;
  const std::size_t length = (std::size_t{1} << 31) + 10;
  std::thread writer([&] {
    sigpp::fdbuf buffer(p.out);
    const std::string text = std::string(length, 'm') + "\nlast";
    EXPECT_EQ(buffer.sputn(text.data(), static_cast<std::streamsize>(text.size())),
              static_cast<std::streamsize>(text.size()));
    EXPECT_EQ(buffer.pubsync(), 0);
    ::close(p.out);
  });
  sigpp::fdbuf buffer(p.in);
  std::string line;
  EXPECT_TRUE(getline(buffer, line));
  EXPECT_EQ(line.size(), length);
  EXPECT_EQ(line.find_first_not_of('m'), std::string::npos);
  EXPECT_TRUE(getline(buffer, line));
  EXPECT_EQ(line, "last");
  EXPECT_FALSE(getline(buffer, line));
  writer.join();
}

TEST(getline, an_exception_keeps_what_has_come_of_the_line) {
  const pipe_ends p;
  sigpp::signal(SIGUSR1, [] { throw 1; });
  p.put("half ");
  sigpp::fdbuf buffer(p.in);
  const pid_t self = getpid();
  std::thread other([&] {
    support::wait_until_it_sleeps(self);
    ::raise(SIGUSR1);
  });
  std::string line = "untouched";
  EXPECT_THROW(getline(buffer, line), int);
  other.join();
  EXPECT_EQ(line, "untouched");
  p.put("whole\n");
  EXPECT_TRUE(getline(buffer, line));
  EXPECT_EQ(line, "half whole");
}

TEST(fdbuf, what_is_given_to_it_is_kept_when_a_handler_throws) {
  const pipe_ends p;
  const std::string much(300'000, 'm');
  std::string got;
  sigpp::signal(SIGUSR1, [] { throw 1; });
  sigpp::fdbuf buffer(p.out);
  std::thread other([&] {
    support::wait_until_it_sleeps(getpid());
    ::raise(SIGUSR1);
    char part[4096];
    for (ssize_t n = 0; (n = ::read(p.in, part, sizeof part)) > 0;) {
      got.append(part, static_cast<std::size_t>(n));
    }
  });
  EXPECT_THROW(buffer.sputn(much.data(), static_cast<std::streamsize>(much.size())), int);
  EXPECT_EQ(buffer.pubsync(), 0);
  ::close(p.out);
  other.join();
  EXPECT_EQ(got, much);
}

TEST(fdbuf, iostreams_read_and_write_and_may_let_exceptions_pass) {
  const pipe_ends p;
  {
    sigpp::fdbuf buffer(p.out);
    std::ostream out(&buffer);
    out << "12 34\n" << std::string(5'000, 'x') << '\n';
  }
  sigpp::fdbuf buffer(p.in);
  std::istream in(&buffer);
  int a = 0;
  int b = 0;
  std::string rest;
  in >> a >> b >> rest;
  EXPECT_EQ(a, 12);
  EXPECT_EQ(b, 34);
  EXPECT_EQ(rest.size(), 5'000U);
  in.get();
  sigpp::signal(SIGUSR1, [] { throw 7; });
  ::raise(SIGUSR1);
  in >> a;
  EXPECT_TRUE(in.bad());
  in.clear();
  in.exceptions(std::ios::badbit);
  ::raise(SIGUSR1);
  EXPECT_THROW(in >> a, int);
}

}  // namespace
