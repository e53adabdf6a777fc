// The mask of this thread as the program sees it.
#pragma once

#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1::detail {

/// pthread_sigmask(3) without a safe point; `how` is right, the signals are valid.
signal_set change_mask(int how, const signal_set& signals) noexcept;
signal_set current_mask() noexcept;

}  // namespace sigpp::inline v1::detail
