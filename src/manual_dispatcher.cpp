#include <sigpp/manual_dispatcher.hpp>

#include <chrono>
#include <mutex>

#include "dispatcher_core.hpp"
#include "process.hpp"
#include "registry.hpp"
#include "safe_point.hpp"
#include "storm.hpp"

namespace sigpp::inline v1 {

namespace {

// What an exception has left shall be seen again.
class raise_again {
 public:
  explicit raise_again(detail::dispatcher_core& core) noexcept : core_(core) {}
  ~raise_again() {
    if (!done_) core_.raise();
  }
  raise_again(const raise_again&) = delete;
  raise_again& operator=(const raise_again&) = delete;
  void done() noexcept { done_ = true; }

 private:
  detail::dispatcher_core& core_;
  bool done_ = false;
};

}  // namespace

manual_dispatcher::manual_dispatcher()
    : where_(detail::registry::instance().make_loose_core(0, false).token()) {
  detail::on_main_thread();  // if it is, hear of its end from now on
}

manual_dispatcher::~manual_dispatcher() {
  detail::dispatcher_core& core = where_.core();
  where_ = sigpp::dispatcher(nullptr);
  detail::registry::instance().retire(core);
}

int manual_dispatcher::native_handle() {
  const std::lock_guard lock(detail::registry::instance().mutex());
  return where_.core().descriptor();
}

unsigned manual_dispatcher::dispatch() {
  if (detail::delivery_ended()) return 0;
  detail::on_main_thread();  // in a child that nobody has told of
  detail::storm::end();
  detail::dispatcher_core& core = where_.core();
  if (detail::is_deferred()) {  // a new edge, for those who wait for one
    core.lower_descriptor();
    if (core.has_something_to_run() || core.timers().earliest() <= std::chrono::steady_clock::now())
      core.raise();
    return 0;
  }
  core.lower_descriptor();
  raise_again guard(core);
  unsigned ran = core.dispatch();
  ran += core.timers().run_due();
  core.arm_alarm();
  guard.done();
  return ran;
}

}  // namespace sigpp::inline v1
