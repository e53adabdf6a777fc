// Signals as a sequence: taken in a loop, through a full queue, by poll, and by a coroutine.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <coroutine>
#include <exception>
#include <iostream>

#include <sigpp/sigpp.hpp>

using namespace std::chrono_literals;

namespace {

void in_a_loop() {
  sigpp::signal_stream stream{SIGHUP, SIGTERM};
  sigpp::raise_signal(SIGHUP);
  sigpp::raise_signal(SIGTERM);
  for (const sigpp::signal_info& info : stream) {  // waits for each
    std::cout << "Next: " << sigpp::signal_name(info.number()) << '.' << std::endl;
    if (info.number() == SIGTERM) break;
  }
  if (!stream.next_for(10ms)) std::cout << "No more." << std::endl;
}

void with_little_room() {
  const sigpp::signal_set five{SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2, SIGRTMIN + 3, SIGRTMIN + 4};
  sigpp::signal_stream all(five);
  sigpp::signal_stream last_two(five, {.capacity = 2});
  for (const int signum : five) sigpp::kill(getpid(), signum);
  while (const auto info = last_two.try_next()) {
    std::cout << "Of the last two: " << sigpp::signal_name(info->number()) << '.' << std::endl;
  }
  std::cout << "Dropped: " << last_two.dropped() << '.' << std::endl;
  int count = 0;
  while (all.try_next()) ++count;
  std::cout << "The other stream has all " << count << '.' << std::endl;
}

void by_poll(int other) {
  sigpp::signal_stream stream{SIGUSR1};
  std::array<pollfd, 2> watched{
      pollfd{.fd = other, .events = POLLIN, .revents = 0},
      pollfd{.fd = stream.native_handle(), .events = POLLIN, .revents = 0}};
  sigpp::raise_signal(SIGUSR1);
  while (::poll(watched.data(), watched.size(), -1) < 0) {  // EINTR: the signal itself, perhaps
  }
  if (watched[1].revents != 0) {
    while (const auto info = stream.try_next()) {
      std::cout << "Polled: " << sigpp::signal_name(info->number()) << '.' << std::endl;
    }
  }
}

// The smallest coroutine there is. Yours come from a library.
struct task {
  struct promise_type {
    task get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

task two_of(sigpp::signal_stream& stream, bool& over) {
  const sigpp::signal_info first = co_await stream;
  const sigpp::signal_info second = co_await stream;
  std::cout << "Awaited: " << sigpp::signal_name(first.number()) << ", "
            << sigpp::signal_name(second.number()) << '.' << std::endl;
  over = true;
}

void by_co_await() {
  sigpp::signal_stream stream{SIGUSR1, SIGUSR2};
  bool over = false;
  two_of(stream, over);  // comes back when it waits
  sigpp::raise_signal(SIGUSR2);
  sigpp::raise_signal(SIGUSR1);
  // It goes on at safe points of this thread, and says so.
  while (!over) sigpp::sleep_for(10ms);  // NOLINT(bugprone-infinite-loop)
}

}  // namespace

int main() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return 1;
  in_a_loop();
  with_little_room();
  by_poll(ends[0]);
  by_co_await();
}

// Prints:
// Next: SIGHUP.
// Next: SIGTERM.
// No more.
// Of the last two: SIGRTMIN+3.
// Of the last two: SIGRTMIN+4.
// Dropped: 3.
// The other stream has all 5.
// Polled: SIGUSR1.
// Awaited: SIGUSR2, SIGUSR1.
