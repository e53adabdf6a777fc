// What check() costs: check_fast_path.py reads the machine code of this.
#include <sigpp/check.hpp>

extern "C" void safe_point_loop(long rounds) {
  for (long i = 0; i < rounds; ++i) sigpp::check();
}
