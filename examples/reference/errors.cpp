// How Python's exceptions are told.
#include <unistd.h>

#include <functional>
#include <iostream>

#include <sigpp/sigpp.hpp>

int main() {
  try {
    sigpp::signal(4242, SIG_IGN);
  } catch (const std::system_error& error) {  // except ValueError as error:
    std::cout << error.what() << '\n';
  }
  try {
    sigpp::signal(SIGKILL, SIG_IGN);
  } catch (const std::system_error& error) {  // except OSError as error:
    if (error.code() == std::errc::invalid_argument) std::cout << "EINVAL\n";  // error.errno
  }

  // Functions that fail for reasons beyond the program's control have a form that does not throw.
  std::error_code error;
  sigpp::kill(getpid(), 4242, error);
  if (error) std::cout << error.message() << '\n';

  // TypeError: sigpp::signal(SIGINT, nullptr) does not compile. A function may still be empty.
  const std::function<void(int)> empty;
  try {
    sigpp::signal(SIGINT, empty);
  } catch (const std::invalid_argument& why) {
    std::cout << why.what() << '\n';
  }
}

// Prints:
// sigpp::signal: signal number 4242 is out of range [1, 64]: Invalid argument
// EINVAL
// Invalid argument
// sigpp::handler: the handler is an empty function
