// Two parts of a program that know nothing of each other, and both want SIGTERM: a cache that
// writes its contents down, and a server that stops accepting. Each subscribes by itself, for as
// long as it lives. With both gone SIGTERM does again what it did before: it kills.
#include <iostream>

#include <sigpp/sigpp.hpp>

class cache {
 private:
  void flush(int signum) {
    std::cout << "Cache: flushed, on " << sigpp::signal_name(signum) << '.' << std::endl;
  }

  const sigpp::subscription on_signal_ =
      sigpp::subscribe({SIGTERM, SIGHUP}, [this](int signum) { flush(signum); });
};

class server {
 public:
  void serve() {
    std::cout << "Server: accepting." << std::endl;
    while (accepting_) sigpp::pause();
  }

 private:
  void stop() {
    std::cout << "Server: accepts no more." << std::endl;
    accepting_ = false;
  }

  bool accepting_ = true;
  const sigpp::subscription on_term_ = sigpp::subscribe({SIGTERM}, [this] { stop(); });
};

int main() {
  {
    const cache contents;  // subscribes first, so it is told first
    server one;
    one.serve();
  }
  std::cout << "Both are gone." << std::endl;
  while (true) sigpp::pause();
}
