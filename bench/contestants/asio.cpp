#include <asio.hpp>

#include "contestant.hpp"

namespace {

struct loop {
  static constexpr bool tells_values = false;
  asio::io_context io{1};  // one thread runs it
  asio::signal_set signals{io};
  std::array<bench::callback, 65> callbacks;
  loop() { wait(); }
  void wait() {
    signals.async_wait([this](const asio::error_code& error, int signum) {
      if (error) return;
      callbacks[static_cast<std::size_t>(signum)](0);
      wait();
    });
  }
  void on(int signum, bench::callback f) {
    callbacks[static_cast<std::size_t>(signum)] = std::move(f);
    signals.add(signum);
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) io.run_one();
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
