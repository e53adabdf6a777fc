#include <sigpp/run.hpp>

#include <sigpp/signal.hpp>

#include "death.hpp"
#include "registry.hpp"

namespace sigpp::inline v1 {

void default_int_handler(int signum, const signal_info& info) {
  static_cast<void>(signum);
  static_cast<void>(info);
  throw keyboard_interrupt{};
}

detail::run_scope::run_scope() : installed_(getsignal(SIGINT).is_default()) {
  do_not_die_at_exit();  // what an earlier run() ended with is over
  if (installed_) signal(SIGINT, default_int_handler);
}

detail::run_scope::~run_scope() {
  try {
    if (installed_) registry::instance().restore_slot(SIGINT, default_int_handler, SIG_DFL);
  } catch (...) {  // a destructor does not throw; SIGINT stays ours
  }
}

int detail::interrupted_exit() noexcept { return die_at_exit_by(SIGINT); }

}  // namespace sigpp::inline v1
