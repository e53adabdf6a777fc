#include <sigpp/exec.hpp>

#include <signal.h>
#include <spawn.h>

#include <cerrno>

#include "dispatcher_core.hpp"
#include "errors.hpp"
#include "in_handler/exec.hpp"

namespace sigpp::inline v1 {

namespace {

bool is_valid(const child_options& options) noexcept {
  return !options.mask || (*options.mask - valid_signals()).empty();
}

}  // namespace

bool prepare_child(const child_options& options) noexcept {
  if (!is_valid(options)) {
    errno = EINVAL;
    return false;
  }
  sigset_t mask{};
  if (options.mask) mask = options.mask->native();
  in_handler::prepare_for_exec(options.mask ? &mask : nullptr, options.ignored,
                               detail::dispatcher_core::send_parked_again);
  return true;
}

void prepare_spawn(posix_spawnattr_t& attributes, const child_options& options,
                   std::error_code& error) {
  error.clear();
  if (!is_valid(options)) {
    error = std::make_error_code(std::errc::invalid_argument);
    return;
  }
  const sigset_t mask = options.mask ? options.mask->native() : in_handler::program_mask();
  signal_set defaults = valid_signals();
  defaults.erase(SIGKILL);  // some systems refuse to change these
  defaults.erase(SIGSTOP);
  for (int n : valid_signals()) {
    if (!in_handler::becomes_default(n, options.ignored)) defaults.erase(n);
  }
  const sigset_t to_default = defaults.native();
  short flags = 0;
  int failed = posix_spawnattr_getflags(&attributes, &flags);
  if (failed == 0) failed = posix_spawnattr_setsigmask(&attributes, &mask);
  if (failed == 0) failed = posix_spawnattr_setsigdefault(&attributes, &to_default);
  flags = static_cast<short>(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  if (failed == 0) failed = posix_spawnattr_setflags(&attributes, flags);
  error.assign(failed, std::generic_category());
}

void prepare_spawn(posix_spawnattr_t& attributes, const child_options& options) {
  if (options.mask) {
    for (int n : *options.mask) require_valid(n, "prepare_spawn");
  }
  std::error_code error;
  prepare_spawn(attributes, options, error);
  if (error) throw_errno(error.value(), "prepare_spawn", "the attributes");
}

}  // namespace sigpp::inline v1
