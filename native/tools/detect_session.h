// What `detector test|map|valid|recall` share: the files of the command line, the names, and a detector with its weights.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "backend/backend.h"
#include "data/data_file.h"
#include "data/dataset.h"
#include "data/image.h"
#include "infer/detector.h"

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
  // The image, or null after a warning: a bad picture must not cost the others their results.
  std::unique_ptr<Image8> read_image(const std::string& path);
  void warn_unreadable(const std::string& reason);
  // How many of `images` were unreadable, if any, and what became of them.
  // Throws Error(bad_input) when none could be read.
  void report_unreadable(size_t images, const char* fate) const;

 private:
  size_t unreadable_ = 0;
};

// Takes -device, -threads, -precision and the words DATA CFG WEIGHTS; the caller has taken its own options before.
// `names_must_fit`: another number of names than classes is an error, else a warning on stderr. `quiet`: nothing on stdout.
DetectSession open_session(Arguments& args, bool names_must_fit, bool quiet = false);

}  // namespace dk
