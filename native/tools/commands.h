// The commands of the program, one function each; they return an exit code and throw dk::Error.
#pragma once

#include "arguments.h"

namespace dk {

int command_train(Arguments& args);
int command_test(Arguments& args);
int command_map(Arguments& args);
int command_valid(Arguments& args);
int command_recall(Arguments& args);
int command_calc_anchors(Arguments& args);
int command_partial(Arguments& args);
int command_inspect(Arguments& args);
int command_devices(Arguments& args);
int command_bench(Arguments& args);

}  // namespace dk
