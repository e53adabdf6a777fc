// The life of the process as far as signals go: first use, fork, exit; and which thread is the main
// one.
#pragma once

#include "in_handler/delivery.hpp"

namespace sigpp::inline v1 {

/// The memory that the handler works on; nullptr before start_delivery().
in_handler::process_state* process() noexcept;

/// Makes that memory, and hears of fork and exit from now on. Under the registry's lock. Throws
/// ENOMEM.
in_handler::process_state& start_delivery();

/// Is the caller the main dispatcher's thread? The first call of a thread makes it known.
bool on_main_thread();

/// exit has begun: nothing is dispatched any more.
bool delivery_ended() noexcept;

}  // namespace sigpp::inline v1
