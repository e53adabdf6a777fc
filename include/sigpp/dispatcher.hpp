// Where handlers run.
#pragma once

#include <memory>
#include <utility>

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

namespace detail {
class dispatcher_core;
}

/// Says at whose safe points a subscriber's function is called. A handle: copy and compare it
/// freely.
///
/// A dispatcher lives as long as the process. When its thread ends, the main thread runs what is
/// subscribed there from then on, and what was pending. In a forked child all are the main
/// thread's, which is the one that called fork.
class dispatcher {
 public:
  friend bool operator==(const dispatcher&, const dispatcher&) noexcept = default;

  explicit dispatcher(std::shared_ptr<detail::dispatcher_core> core) noexcept
      : core_(std::move(core)) {}
  [[nodiscard]] detail::dispatcher_core& core() const noexcept { return *core_; }

 private:
  std::shared_ptr<detail::dispatcher_core> core_;
};

/// The main thread's: where handlers of signal() run. Threads: any. Throws std::system_error
/// (ENOMEM).
SIGPP_EXPORT [[nodiscard]] dispatcher main_dispatcher();

namespace this_thread {

/// The calling thread's own; makes it at the first call. From then on the safe points of this
/// thread (check(), sleep_for(), pause()...) run what is subscribed there, and signals wake it from
/// them, whichever thread the kernel gives them to. On the main thread it is main_dispatcher().
/// Throws std::system_error (ENOMEM).
SIGPP_EXPORT [[nodiscard]] sigpp::dispatcher dispatcher();

}  // namespace this_thread

}  // namespace sigpp::inline v1
