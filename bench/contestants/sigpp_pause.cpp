// sigpp on the main thread, which waits in pause(). A program of its own, as its start is measured.
#include <sigpp/sigpp.hpp>

#include "contestant.hpp"

namespace {

struct loop {
  void on(int signum, bench::callback f) {
    sigpp::signal(signum, [f = std::move(f)](const sigpp::signal_info& info) {
      f(info.value() ? info.value()->sival_int : 0);
    });
  }
  void run(const std::atomic<bool>& stop) {
    while (!stop) sigpp::pause();
  }
};

}  // namespace

int main(int argc, char** argv) {
  loop it;
  return bench::contest(it, argc, argv);
}
