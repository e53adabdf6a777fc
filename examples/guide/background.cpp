// Handlers that run while the main thread sits in calls that are not sigpp's.
#include <exception>
#include <future>
#include <iostream>
#include <stdexcept>
#include <string>

#include <sigpp/sigpp.hpp>

namespace {

std::string text_of(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

int main() {
  std::promise<std::string> error;
  const auto report = [&](const std::exception_ptr& what) { error.set_value(text_of(what)); };
  const sigpp::background here({.on_error = report});

  std::promise<int> heard;
  sigpp::signal(SIGTERM, [&](int signum) { heard.set_value(signum); });
  sigpp::raise_signal(SIGTERM);
  std::cout << "Heard: " << sigpp::signal_name(heard.get_future().get())  // no safe point
            << '.' << std::endl;

  const auto on_hup = sigpp::subscribe(
      {SIGHUP}, [] { throw std::runtime_error("no such file"); }, here.dispatcher());
  sigpp::raise_signal(SIGHUP);
  std::cout << "Thrown in the background: " << error.get_future().get() << '.' << std::endl;
}

// Prints:
// Heard: SIGTERM.
// Thrown in the background: no such file.
