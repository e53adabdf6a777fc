// Code that no handler may interrupt.
#pragma once

#include <sigpp/export.hpp>

namespace sigpp::inline v1 {

/// While it lives, safe points of this thread run no handler: signals are recorded, and stay
/// pending until the first safe point after the last shield of the thread is gone. Blocking calls
/// of sigpp are not interrupted; pause() returns when something has become pending.
///
/// For code that must not be left by a handler's exception halfway. Unlike signal_mask it costs no
/// system call, and the kernel's queue does not fill. Nests. The destructor is no safe point.
/// Threads: destroy it on the thread that made it.
class shield {
 public:
  SIGPP_EXPORT shield() noexcept;
  SIGPP_EXPORT ~shield();
  shield(const shield&) = delete;
  shield& operator=(const shield&) = delete;
};

}  // namespace sigpp::inline v1
