// What a blocking call costs when no signal comes, and the call need not wait.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include <sigpp/io.hpp>

namespace {

// Each way makes one call; `fd` is ready for it.

struct raw {
  template <class Call>
  void operator()(int /*fd*/, short /*events*/, Call call) const {
    call();
  }
};

// The signals are blocked but while it waits: POSIX's way to miss none.
struct ppoll_then_call {
  sigset_t mask{};
  ppoll_then_call() { sigemptyset(&mask); }
  template <class Call>
  void operator()(int fd, short events, Call call) const {
    pollfd one{.fd = fd, .events = events, .revents = 0};
    if (::ppoll(&one, 1, nullptr, &mask) == 1) call();
  }
};

// The handler writes to a pipe, which is polled beside `fd`.
struct self_pipe {
  std::array<int, 2> ends{};
  self_pipe() {
    if (::pipe(ends.data()) != 0) std::abort();
  }
  ~self_pipe() {
    for (const int end : ends) ::close(end);
  }
  self_pipe(const self_pipe&) = delete;
  self_pipe& operator=(const self_pipe&) = delete;
  template <class Call>
  void operator()(int fd, short events, Call call) const {
    std::array<pollfd, 2> both{{{fd, events, 0}, {ends[0], POLLIN, 0}}};
    if (::poll(both.data(), both.size(), -1) > 0 && both[1].revents == 0) call();
  }
};

const int zero = ::open("/dev/zero", O_RDONLY);
const int null = ::open("/dev/null", O_WRONLY);
const std::array<int, 2> sockets = [] {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) std::abort();
  return ends;
}();
std::array<char, 1> byte{};

template <class Way>
void read_byte(benchmark::State& state) {
  const Way way;
  for (auto _ : state) {
    way(zero, POLLIN, [] { benchmark::DoNotOptimize(::read(zero, byte.data(), 1)); });
  }
}
void read_byte_sigpp(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(sigpp::read(zero, byte));
}

template <class Way>
void write_byte(benchmark::State& state) {
  const Way way;
  for (auto _ : state) {
    way(null, POLLOUT, [] { benchmark::DoNotOptimize(::write(null, byte.data(), 1)); });
  }
}
void write_byte_sigpp(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(sigpp::write(null, {byte.data(), 1}));
}

// A byte to itself, and back.
template <class Way>
void send_and_recv(benchmark::State& state) {
  const Way way;
  for (auto _ : state) {
    way(sockets[0], POLLOUT,
        [] { benchmark::DoNotOptimize(::send(sockets[0], byte.data(), 1, 0)); });
    way(sockets[1], POLLIN,
        [] { benchmark::DoNotOptimize(::recv(sockets[1], byte.data(), 1, 0)); });
  }
}
void send_and_recv_sigpp(benchmark::State& state) {
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(byte));
  for (auto _ : state) {
    benchmark::DoNotOptimize(sigpp::send(sockets[0], bytes));
    benchmark::DoNotOptimize(sigpp::recv(sockets[1], bytes));
  }
}

// What is ready already.
void poll_raw(benchmark::State& state) {
  pollfd one{.fd = zero, .events = POLLIN, .revents = 0};
  for (auto _ : state) benchmark::DoNotOptimize(::poll(&one, 1, -1));
}
void poll_ppoll(benchmark::State& state) {
  pollfd one{.fd = zero, .events = POLLIN, .revents = 0};
  sigset_t mask;
  sigemptyset(&mask);
  for (auto _ : state) benchmark::DoNotOptimize(::ppoll(&one, 1, nullptr, &mask));
}
void poll_sigpp(benchmark::State& state) {
  std::array<pollfd, 1> one{{{zero, POLLIN, 0}}};
  for (auto _ : state) benchmark::DoNotOptimize(sigpp::poll(one));
}

}  // namespace

BENCHMARK(read_byte<raw>)->Name("read/raw");
BENCHMARK(read_byte_sigpp)->Name("read/sigpp");
BENCHMARK(read_byte<ppoll_then_call>)->Name("read/ppoll_then_call");
BENCHMARK(read_byte<self_pipe>)->Name("read/self_pipe");
BENCHMARK(write_byte<raw>)->Name("write/raw");
BENCHMARK(write_byte_sigpp)->Name("write/sigpp");
BENCHMARK(write_byte<ppoll_then_call>)->Name("write/ppoll_then_call");
BENCHMARK(write_byte<self_pipe>)->Name("write/self_pipe");
BENCHMARK(send_and_recv<raw>)->Name("send_and_recv/raw");
BENCHMARK(send_and_recv_sigpp)->Name("send_and_recv/sigpp");
BENCHMARK(send_and_recv<ppoll_then_call>)->Name("send_and_recv/ppoll_then_call");
BENCHMARK(send_and_recv<self_pipe>)->Name("send_and_recv/self_pipe");
BENCHMARK(poll_raw)->Name("poll/raw");
BENCHMARK(poll_sigpp)->Name("poll/sigpp");
BENCHMARK(poll_ppoll)->Name("poll/ppoll");
BENCHMARK_MAIN();
