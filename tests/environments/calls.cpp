// One program for every environment: emulators, sanitizers, valgrind, link-time optimisation. No
// test framework, which would have to be built for each. What the calls write is looked at, so that
// MemorySanitizer and valgrind see whether they know of it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#ifndef SIGPP_TEST_POSIX_PLATFORM
#include <sys/epoll.h>
#endif

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include <sigpp/sigpp.hpp>

#include "blocking/calls.hpp"

namespace {

using namespace std::chrono_literals;
using ends = std::array<int, 2>;

int failures = 0;

void expect(bool good, const char* what) {
  std::printf("%s: %s\n", good ? "ok" : "FAILED", what);
  if (!good) ++failures;
}

ends make_pipe() {
  ends made{};
  if (::pipe(made.data()) != 0) std::abort();
  return made;
}

ends make_sockets(int type) {
  ends made{};
  if (::socketpair(AF_UNIX, type, 0, made.data()) != 0) std::abort();
  return made;
}

void put(int fd, char byte) {
  if (::write(fd, &byte, 1) != 1) std::abort();
}

struct address {
  sockaddr_un name;  // uninitialised: the call says how much of it there is
  socklen_t length = sizeof name;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&name); }
};

pid_t child_that_ends_with(int status) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(status);
  return pid;
}

// ---- what calls give ---------------------------------------------------------------------------

// The buffers are not initialised: what is looked at must have come from the call.
void results_of_files() {
  const ends p = make_pipe();
  char a[8];
  char b[8];
  put(p[1], 'r');
  expect(sigpp::read(p[0], std::span(a)) == 1 && a[0] == 'r', "read");
  expect(sigpp::write(p[1], std::string_view("12345")) == 5, "write");
  const iovec to[] = {{.iov_base = a, .iov_len = 2}, {.iov_base = b, .iov_len = 8}};
  expect(sigpp::readv(p[0], to) == 5 && a[1] == '2' && b[2] == '5', "readv");
  const iovec from{.iov_base = b, .iov_len = 1};
  expect(sigpp::writev(p[1], {&from, 1}) == 1 && ::read(p[0], a, 8) == 1 && a[0] == '3', "writev");

  std::string path = "/tmp/sigpp-test-XXXXXX";
  const int file = ::mkstemp(path.data());
  expect(sigpp::pwrite(file, std::as_bytes(std::span("xyz", 3)), 1) == 3, "pwrite");
  char c[8];
  expect(sigpp::pread(file, std::as_writable_bytes(std::span(c)), 2) == 2 && c[1] == 'z', "pread");
  struct flock lock;
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = lock.l_len = 0;
  sigpp::fcntl_lock(file, F_GETLK, lock);
  expect(lock.l_type == F_UNLCK, "fcntl_lock");
  const int again = sigpp::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  expect(again >= 0, "open");
  sigpp::flock(again, LOCK_SH);
  ::unlink(path.c_str());

  sigpp::write(p[1], std::string_view("one\ntwo\n"));
  sigpp::fdbuf buffer(p[0]);
  std::string line;
  expect(sigpp::getline(buffer, line) && line == "one" && sigpp::getline(buffer, line) &&
             line == "two",
         "getline");
}

void results_of_sockets() {
  const ends s = make_sockets(SOCK_DGRAM);
  char a[8];
  char b[8];
  const auto text = std::as_bytes(std::span("abcde", 5));
  sigpp::send(s[1], text, 0);
  expect(sigpp::recv(s[0], std::as_writable_bytes(std::span(a))) == 5 && a[4] == 'e', "recv");
  sigpp::send(s[1], text, 0);
  // More than there is room for.
  expect(sigpp::recv(s[0], std::as_writable_bytes(std::span(b, 2)), MSG_TRUNC) == 5 && b[1] == 'b',
         "recv, of what is cut off");

  address own{};  // all of it, as valgrind believes that bind reads all
  own.name.sun_family = AF_UNIX;
  const int named = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  ::bind(named, own.get(), sizeof(sa_family_t));  // the system finds a name
  ::getsockname(named, own.get(), &own.length);
  address sender;
  char c[8];
  expect(sigpp::sendto(named, text, 0, own.get(), own.length) == 5, "sendto");
  expect(sigpp::recvfrom(named, std::as_writable_bytes(std::span(c)), 0, sender.get(),
                         &sender.length) == 5 &&
             c[0] == 'a' && sender.length == own.length && sender.name.sun_path[0] == '\0' &&
             sender.name.sun_path[1] == own.name.sun_path[1],
         "recvfrom");

  // A descriptor travels, and the sender's name.
  char byte = 'm';
  iovec part{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr out{};
  out.msg_name = own.get();
  out.msg_namelen = own.length;
  out.msg_iov = &part;
  out.msg_iovlen = 1;
  out.msg_control = control;
  out.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&out);
  *header = {};
  header->cmsg_len = CMSG_LEN(sizeof(int));
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  *reinterpret_cast<int*>(CMSG_DATA(header)) = s[0];
  expect(sigpp::sendmsg(named, out) == 1, "sendmsg");
  char d[8];
  address from;
  iovec room{.iov_base = d, .iov_len = sizeof d};
  alignas(cmsghdr) char got[CMSG_SPACE(sizeof(int))];
  msghdr in{};
  in.msg_name = &from.name;
  in.msg_namelen = sizeof from.name;
  in.msg_iov = &room;
  in.msg_iovlen = 1;
  in.msg_control = got;
  in.msg_controllen = sizeof got;
  const bool received = sigpp::recvmsg(named, in) == 1 && d[0] == 'm';
  const cmsghdr* const rights = CMSG_FIRSTHDR(&in);
  expect(received && in.msg_flags == 0 && in.msg_namelen == own.length &&
             from.name.sun_path[1] == own.name.sun_path[1] && rights != nullptr &&
             rights->cmsg_type == SCM_RIGHTS &&
             ::fcntl(*reinterpret_cast<const int*>(CMSG_DATA(rights)), F_GETFD) >= 0,
         "recvmsg");

  address place{};
  place.name.sun_family = AF_UNIX;
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ::bind(listener, place.get(), sizeof(sa_family_t));
  ::listen(listener, 1);
  ::getsockname(listener, place.get(), &place.length);
  const int caller = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ::bind(caller, own.get(), sizeof(sa_family_t));
  sigpp::connect(caller, place.get(), place.length);
  address peer;
  expect(sigpp::accept4(listener, peer.get(), &peer.length, 0) >= 0 &&
             peer.length > sizeof(sa_family_t) && peer.name.sun_path[0] == '\0',
         "connect, accept4");
}

void results_of_waits() {
  const ends p = make_pipe();
  put(p[1], 'w');
  pollfd one;  // of which `revents` is the call's
  one.fd = p[0];
  one.events = POLLIN;
  expect(sigpp::poll({&one, 1}) == 1 && one.revents == POLLIN, "poll");
  fd_set in;
  FD_ZERO(&in);
  FD_SET(p[0], &in);
  expect(sigpp::select(p[0] + 1, &in, nullptr, nullptr) == 1 && FD_ISSET(p[0], &in), "select");
#ifndef SIGPP_TEST_POSIX_PLATFORM
  const int poller = ::epoll_create1(0);
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.fd = p[0];
  ::epoll_ctl(poller, EPOLL_CTL_ADD, p[0], &wanted);
  std::array<epoll_event, 2> events;
  expect(sigpp::epoll_wait(poller, events) == 1 && events[0].data.fd == p[0], "epoll_wait");
#endif
  const auto status = sigpp::waitpid(child_that_ends_with(7));
  expect(WIFEXITED(status.status) && WEXITSTATUS(status.status) == 7, "waitpid");
  const siginfo_t info = sigpp::waitid(P_PID, static_cast<id_t>(child_that_ends_with(8)), WEXITED);
  expect(info.si_status == 8 && info.si_code == CLD_EXITED, "waitid");
}

void results_of_signals() {
  // To MemorySanitizer and valgrind, what the handler finds on this stack is uninitialised.
  const std::size_t much = 64 * 1024;
  const stack_t stack{.ss_sp = std::malloc(much), .ss_flags = 0, .ss_size = much};
  stack_t before;
  ::sigaltstack(&stack, &before);
  int value = 0;
  pid_t sender = 0;
  sigpp::signal(SIGUSR2, [&](const sigpp::signal_info& info) {
    sender = info.pid().value_or(-1);
    value = info.number();
  });
  ::kill(::getpid(), SIGUSR2);
  sigpp::check();
  expect(value == SIGUSR2 && sender == ::getpid(), "a handler gets who has sent the signal");
  const ends p = make_pipe();
  ::fcntl(p[1], F_SETFL, O_NONBLOCK);
  sigpp::set_wakeup_fd(p[1]);
  ::raise(SIGUSR2);
  char byte;
  expect(sigpp::read(p[0], {&byte, 1}) == 1 && byte == SIGUSR2, "set_wakeup_fd");
  sigpp::set_wakeup_fd(-1);
  ::sigaltstack(&before, nullptr);
  std::free(stack.ss_sp);

  sigpp::pthread_sigmask(SIG_BLOCK, {SIGUSR1});
  ::raise(SIGUSR1);
  const auto taken = sigpp::sigwaitinfo({SIGUSR1});
#ifdef SIGPP_TEST_POSIX_PLATFORM  // where the number is all that is known
  expect(taken.number() == SIGUSR1, "sigwaitinfo");
#else
  expect(taken.number() == SIGUSR1 && taken.pid() == ::getpid(), "sigwaitinfo");
#endif
  expect(!sigpp::sigtimedwait({SIGUSR1}, 1ms), "sigtimedwait");
  sigpp::pthread_sigmask(SIG_UNBLOCK, {SIGUSR1});

  int first = 0;
  std::atomic<int> second{0};
  std::atomic<bool> ready{false};
  const auto here = sigpp::subscribe({SIGALRM}, [&] { ++first; });
  std::thread elsewhere([&] {
    const auto there = sigpp::subscribe(
        {SIGALRM}, [&] { ++second; }, sigpp::this_thread::dispatcher());
    ready = true;
    while (second == 0) sigpp::pause();
  });
  while (!ready) std::this_thread::yield();
  sigpp::raise_signal(SIGALRM);
  sigpp::join(elsewhere);
  sigpp::check();
  expect(first == 1 && second == 1, "subscribers on two threads");
  const auto sum = sigpp::statistics();
  expect(sum.received == sum.handled && sum.received > 0, "statistics");
}

void results_of_locks() {
  sigpp::mutex mutex;
  sigpp::condition_variable changed;
  bool done = false;
  std::thread other([&] {
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  while (!done) changed.wait(lock);
  lock.unlock();
  sigpp::join(other);
  expect(done, "mutex, condition_variable");
}

// ---- what ends them ----------------------------------------------------------------------------

bool is_ended_by_a_deadline(const std::function<void()>& block) {
  return !sigpp::with_timeout(5ms, block) && !sigpp::with_timeout(0s, block);
}

void deadlines() {
  const ends p = make_pipe();
  const ends s = make_sockets(SOCK_STREAM);
  std::byte byte{};
  expect(is_ended_by_a_deadline([&] { sigpp::read(p[0], {&byte, 1}); }), "a deadline ends a read");
  expect(is_ended_by_a_deadline([&] { sigpp::recv(s[0], {&byte, 1}); }), "and a recv");
  pollfd one{.fd = p[0], .events = POLLIN, .revents = 0};
  expect(is_ended_by_a_deadline([&] { sigpp::poll({&one, 1}); }), "and a poll");
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  expect(is_ended_by_a_deadline([&] { sigpp::waitpid(child); }), "and a waitpid");
  ::kill(child, SIGKILL);
  expect(WTERMSIG(sigpp::waitpid(child).status) == SIGKILL, "which can be made again");
  sigpp::mutex mutex;
  sigpp::condition_variable never;
  std::unique_lock lock(mutex);
  expect(is_ended_by_a_deadline([&] {
           for (;;) never.wait(lock);  // it may return for no reason
         }),
         "and a wait");
  expect(is_ended_by_a_deadline([] { sigpp::sigwait({SIGUSR1}); }), "and a sigwait");
  expect(is_ended_by_a_deadline([] { sigpp::sleep_for(1h); }), "and a sleep");
}

void handlers_and_timers() {
  const ends p = make_pipe();
  std::byte byte{};
  int calls = 0;
  sigpp::signal(SIGALRM, [&] {
    if (++calls == 3) put(p[1], 'x');
  });
  sigpp::setitimer(ITIMER_REAL, 5ms, 5ms);
  expect(sigpp::read(p[0], {&byte, 1}) == 1 && calls >= 3, "handlers run and the read goes on");
  sigpp::setitimer(ITIMER_REAL, 0s);
  int ticks = 0;
  {
    const auto every = sigpp::call_every(2ms, [&] { ++ticks; });
    while (ticks < 3) sigpp::pause();
  }
  expect(ticks >= 3, "timers run");
}

void interrupts() {
  const ends p = make_pipe();
  std::atomic<bool> ready{false};
  sigpp::thread_handle handle;
  std::atomic<bool> ended{false};
  std::thread blocked([&] {
    handle = sigpp::this_thread::handle();
    ready = true;
    try {
      std::byte mine{};
      sigpp::read(p[0], {&mine, 1});
    } catch (const sigpp::interrupted&) {
      ended = true;
    }
  });
  while (!ready) std::this_thread::yield();
  sigpp::interrupt(handle);
  sigpp::join(blocked);
  expect(ended, "interrupt ends it on another thread");
}

struct stop {};

// A signal at a random instant around the call: it ends the call, and never a byte is lost.
bool storm(int trials) {
  const ends p = make_pipe();
  const pthread_t self = ::pthread_self();
  std::atomic<int> round{0};
  std::atomic<bool> with_byte{false};
  std::thread sender([&] {
    std::mt19937 random(1);
    for (int i = 1; i <= trials; ++i) {
      while (round != i) std::this_thread::yield();
      for (volatile unsigned wait = static_cast<unsigned>(random() % 3000); wait > 0;)
        wait = wait - 1;
      if (with_byte) put(p[1], 'x');
      ::pthread_kill(self, SIGUSR1);
    }
  });
  sigpp::signal(SIGUSR1, [] { throw stop{}; });
  int sent = 0;
  int got = 0;
  for (int i = 1; i <= trials; ++i) {
    with_byte = i % 3 == 0;
    sent += with_byte ? 1 : 0;
    round = i;
    try {
      for (;;) {  // until the signal, which always comes
        std::byte byte{};
        got += static_cast<int>(sigpp::read(p[0], {&byte, 1}));
      }
    } catch (const stop&) {
    }
  }
  sender.join();
  sigpp::signal(SIGUSR1, SIG_IGN);
  std::byte byte{};
  while (got < sent) got += static_cast<int>(sigpp::read(p[0], {&byte, 1}));
  return got == sent;
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // children shall not have what waits in it
  results_of_files();
  results_of_sockets();
  results_of_waits();
  results_of_signals();
  results_of_locks();
  deadlines();
  handlers_and_timers();
  interrupts();
#ifdef SIGPP_TEST_STUB
  expect(sigpp::blocking::by_the_stub(), "the stub has passed its test");
#endif
  expect(storm(count > 1 ? std::atoi(arguments[1]) : 20'000),
         "signals at any instant: none slept through, no byte lost");
  return failures == 0 ? 0 : 1;
}
