// Detection on a list of picture files, in batches: while the network works on one, threads decode the next and bring it to the
// network's size. At most two batches of inputs and one decoded picture a thread are held.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "infer/detector.h"

namespace dk {

struct FileDetections {
  size_t index = 0;  // in the list
  int w = 0, h = 0;  // of the picture
  Detections found;
  std::exception_ptr error;  // why it can't be read; then nothing is found
};

// Hands over each file's result, in the order of the list, on the calling thread. `take` returns false to end early; then so does
// this.
bool detect_files(Detector& detector, const std::vector<std::string>& paths, const DetectOptions& options,
                  const std::function<bool(FileDetections&&)>& take);

}  // namespace dk
