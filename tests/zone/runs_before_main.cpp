// The negative control of zone.nothing_runs_before_main.
#include <iostream>  // has a static object
