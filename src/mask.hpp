// The mask of this thread: what the program has asked for, and what sigpp holds back besides.
#pragma once

#include <signal.h>

#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1::detail {

/// Blocks every signal while it lives. The mask that it puts back has what the program had blocked,
/// and what is held back then: a release meanwhile counts.
class all_blocked {
 public:
  all_blocked() noexcept;
  ~all_blocked();
  all_blocked(const all_blocked&) = delete;
  all_blocked& operator=(const all_blocked&) = delete;

  /// What the program had blocked; change it to change what is put back.
  sigset_t& program_mask() noexcept { return program_; }
  /// That, and what is held back now.
  [[nodiscard]] sigset_t mask() const noexcept;
  /// Other code has changed it since sigpp set it, and may put back what it has saved.
  [[nodiscard]] bool is_section_of_others() const noexcept { return is_section_of_others_; }

 private:
  sigset_t program_;
  bool is_section_of_others_ = false;
  bool outermost_;
};

/// pthread_sigmask(3) without a safe point; `how` is right, the signals are valid.
signal_set change_mask(int how, const signal_set& signals) noexcept;

}  // namespace sigpp::inline v1::detail
