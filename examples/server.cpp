// An echo server, and what signals may ask of it:
//   SIGHUP           to read its configuration again
//   SIGTERM, Ctrl-C  to accept no more, and to serve to the end who is connected; but not for ever
//   Ctrl-C again     to end at once, whatever hangs
// It dies by the signal that has asked, so that whoever has started it knows.
// Usage: server [PORT [SECONDS OF GRACE]]; then `nc 127.0.0.1 PORT`
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stop_token>
#include <string_view>
#include <system_error>
#include <thread>

#include <sigpp/sigpp.hpp>

namespace {

void check(int result, const char* what) {
  if (result >= 0) return;
  std::perror(what);
  std::exit(1);
}

int listen_at(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(static_cast<in_port_t>(port));
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  check(::bind(fd, reinterpret_cast<sockaddr*>(&here), size), "bind");
  check(::listen(fd, SOMAXCONN), "listen");
  check(::getsockname(fd, reinterpret_cast<sockaddr*>(&here), &size), "getsockname");
  std::cout << "Listening on port " << ntohs(here.sin_port) << '.' << std::endl;
  return fd;
}

void load_configuration() { std::cout << "Configuration loaded." << std::endl; }

struct client {
  int fd;
  ~client() { ::close(fd); }
};

// A request to stop ends this.
int accept_from(int listener, const std::stop_token& stop) {
  const sigpp::stop_scope scope(stop);
  return sigpp::accept4(listener, nullptr, nullptr, 0);
}

// And not this.
void serve(int fd) {
  std::array<char, 4096> some{};
  while (const std::size_t n = sigpp::read(fd, some)) {
    for (std::string_view rest(some.data(), n); !rest.empty();) {
      rest.remove_prefix(sigpp::write(fd, rest));
    }
  }
}

void work(int listener, const std::stop_token& stop) {
  for (;;) {
    try {
      const client one{accept_from(listener, stop)};
      serve(one.fd);
    } catch (const sigpp::interrupted&) {
      return;
    } catch (const std::system_error& e) {
      std::cerr << e.what() << std::endl;  // this client is lost, the next one may do better
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int port = argc > 1 ? std::atoi(argv[1]) : 7007;
  const auto grace = std::chrono::seconds(argc > 2 ? std::atoi(argv[2]) : 30);

  sigpp::shutdown_source shutdown({.grace = grace});
  sigpp::signal(SIGPIPE, SIG_IGN);  // who writes to a client that has gone is told by an error
  const auto on_hup = sigpp::subscribe({SIGHUP}, load_configuration);
  load_configuration();

  const int listener = listen_at(port);
  shutdown.defer([=] { ::close(listener); });
  std::array<std::thread, 4> workers;
  for (std::thread& each : workers) each = std::thread(work, listener, shutdown.get_token());

  shutdown.wait();
  std::cout << sigpp::signal_name(shutdown.cause()->number())
            << ": accepting no more. Once more to end at once." << std::endl;
  for (std::thread& each : workers) sigpp::join(each);
  std::cout << "All are served." << std::endl;
  return shutdown.finish();
}
