// Unix signals as easy as Python's `signal` module: everything.
#pragma once

#include <sigpp/check.hpp>
#include <sigpp/child.hpp>
#include <sigpp/dispatcher.hpp>
#include <sigpp/handler.hpp>
#include <sigpp/io.hpp>
#include <sigpp/itimer.hpp>
#include <sigpp/mask.hpp>
#include <sigpp/mutex.hpp>
#include <sigpp/names.hpp>
#include <sigpp/run.hpp>
#include <sigpp/send.hpp>
#include <sigpp/shield.hpp>
#include <sigpp/signal.hpp>
#include <sigpp/signal_info.hpp>
#include <sigpp/signal_set.hpp>
#include <sigpp/sleep.hpp>
#include <sigpp/statistics.hpp>
#include <sigpp/stream.hpp>
#include <sigpp/subscribe.hpp>
#include <sigpp/thread.hpp>
#include <sigpp/timeout.hpp>
#include <sigpp/timer.hpp>
#include <sigpp/wait.hpp>
#include <sigpp/wakeup_fd.hpp>
