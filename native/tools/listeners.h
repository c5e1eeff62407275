// Two ways to print a training run: Darknet's own lines, for people and for scripts written for Darknet, and one JSON
// object a line (docs/protocol.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/train_events.h"

namespace dk {

std::unique_ptr<TrainListener> make_darknet_listener(const std::vector<std::string>& names);
std::unique_ptr<TrainListener> make_json_listener(const std::vector<std::string>& names);

// Of a process other than the first: what only it can know, its warnings about pictures, on stderr.
std::unique_ptr<TrainListener> make_other_listener(int rank);

// {"event":"error",...} on stdout.
void print_json_error(int code, const std::string& text);

}  // namespace dk
