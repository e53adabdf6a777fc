// What a program that is started finds of signals: nothing of its parent's, or what is asked for.
#pragma once

#include <spawn.h>

#include <optional>
#include <system_error>

#include <sigpp/export.hpp>
#include <sigpp/signal_set.hpp>

namespace sigpp::inline v1 {

/// What becomes of signals that are ignored. exec itself keeps SIG_IGN.
enum class ignored_signals : unsigned char {
  /// Those stay so that sigpp has not made so: when the program was started (`nohup`, a shell's
  /// `&`), or by other code. Those that the program has ignored by sigpp, as servers do with
  /// SIGPIPE, have their default action.
  inherited,
  /// All stay ignored.
  keep,
  /// None stays ignored. Python, for SIGPIPE and SIGXFSZ: subprocess's `restore_signals`.
  reset
};

/// How a program that is started finds its signals. Where there was a handler is the default
/// action, whatever is said here: exec does that.
struct child_options {
  /// What is blocked. std::nullopt: what the calling thread blocks; what sigpp holds back for a
  /// while is never part of it.
  std::optional<signal_set> mask = signal_set{};
  ignored_signals ignored = ignored_signals::inherited;
};

/// Between fork or vfork, and exec, in the child: makes its signals what `options` says. What has
/// arrived since the fork and no handler has dealt with is sent again, with its siginfo: it is
/// pending in the program that is started if the mask blocks it, else its default action happens
/// here, as it would there. After this only exec or _exit may follow. Python: subprocess does a
/// part of it. POSIX: none.
///
/// Async-signal-safe: allocates nothing, takes no lock. In a child of vfork nothing of its parent's
/// memory is changed. Threads: the child's only one. false, errno and nothing done: EINVAL, a
/// number that this system does not have or the C library keeps for itself (see valid_signals()).
/// It does not throw: there is nobody to catch it.
SIGPP_EXPORT bool prepare_child(const child_options& options = {}) noexcept;

/// The same for posix_spawn: sets the mask, the signals with default action, and the flags
/// POSIX_SPAWN_SETSIGMASK and POSIX_SPAWN_SETSIGDEF in `attributes`, which posix_spawnattr_init has
/// made; the other flags stay. What is ignored, and what the calling thread blocks, is what counts
/// now: do it just before posix_spawn. POSIX: posix_spawnattr_setsigmask, _setsigdefault.
/// Threads: any. Throws std::system_error (EINVAL): as above.
SIGPP_EXPORT void prepare_spawn(posix_spawnattr_t& attributes, const child_options& options = {});
SIGPP_EXPORT void prepare_spawn(posix_spawnattr_t& attributes, const child_options& options,
                                std::error_code& error);

}  // namespace sigpp::inline v1
