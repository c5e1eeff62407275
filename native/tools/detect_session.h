// What `detector test|map|valid|recall` share: the files of the command line, the names, and a detector with its weights.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "backend/backend.h"
#include "data/data_file.h"
#include "data/dataset.h"
#include "data/image.h"
#include "infer/detector.h"
#include "infer/file_detection.h"

namespace dk {

struct DetectSession {
  DataFile data;
  NetworkDef def;
  std::vector<std::string> names;
  std::string weights_path;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Detector> detector;

  std::string name(int class_id) const;
  // The labelled images of `valid` (else of `train`); missing label files count as images without objects.
  Dataset valid_set() const;
  // The objects of each of these files, in batches; what can't be read is warned of and left out: a bad picture must not cost the
  // others their results.
  void detect_files(const std::vector<std::string>& paths, const DetectOptions& options,
                    const std::function<void(FileDetections&&)>& take);
  void warn_unreadable(const std::string& reason);
  // How many of `images` were unreadable, if any, and what became of them.
  // Throws Error(bad_input) when none could be read.
  void report_unreadable(size_t images, const char* fate) const;

 private:
  size_t unreadable_ = 0;
};

// Takes -device, -threads, -precision, -batch (images of one pass; else as many as help) and the words DATA CFG WEIGHTS; the
// caller has taken its own options before. `names_must_fit`: another number of names than classes is an error, else a warning on
// stderr. `quiet`: nothing on stdout. `single`: one picture at a time.
DetectSession open_session(Arguments& args, bool names_must_fit, bool quiet = false, bool single = false);

}  // namespace dk
