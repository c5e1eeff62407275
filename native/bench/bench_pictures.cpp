// Makes a labelled set for measurements and checks, without Python and without a network:
//   dk_bench_pictures FOLDER TRAIN VALID WIDTH HEIGHT
// writes JPEGs with labels (disc, square, triangle), train.txt, valid.txt, obj.names, obj.data, and obj.data for a net of more
// classes (any.data). The same numbers give the same set.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "core/files.h"
#include "core/status.h"
#include "data/image_encode.h"
#include "made_pictures.h"

namespace dk {
namespace {

struct Order {
  std::string folder;
  int train = 0, valid = 0, width = 0, height = 0;
};

std::string stem_of(const Order& order, int index) {
  return index < order.train ? strf("train/%05d", index) : strf("valid/%05d", index - order.train);
}

void make_one(const Order& order, int index) {
  const std::string stem = join_path(order.folder, stem_of(order, index));
  Image8 image = made_picture(order.width, order.height, static_cast<uint32_t>(index));
  const std::string labels = ShapePainter(&image, static_cast<uint32_t>(index)).paint();
  write_image_file(image, stem + ".jpg", 90);
  write_file_atomically(stem + ".txt", labels);
}

void make_pictures(const Order& order) {
  std::atomic<int> next{0};
  std::atomic<bool> failed{false};
  std::string reason;
  const int count = order.train + order.valid;
  const auto work = [&] {
    try {
      for (int index = next++; index < count && !failed; index = next++) make_one(order, index);
    } catch (const Error& error) {
      if (!failed.exchange(true)) reason = error.what();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  if (failed) fail(Status::disk, "%s", reason.c_str());
}

void write_lists(const Order& order) {
  std::string lists[2];
  for (int i = 0; i < order.train + order.valid; ++i) lists[i < order.train ? 0 : 1] += stem_of(order, i) + ".jpg\n";
  const std::string data = "train=train.txt\nvalid=valid.txt\nbackup=backup\n";
  write_file_atomically(join_path(order.folder, "train.txt"), lists[0]);
  write_file_atomically(join_path(order.folder, "valid.txt"), lists[1]);
  write_file_atomically(join_path(order.folder, "obj.names"), "disc\nsquare\ntriangle\n");
  write_file_atomically(join_path(order.folder, "obj.data"), "classes=3\nnames=obj.names\n" + data);
  write_file_atomically(join_path(order.folder, "any.data"), data);
}

int run(int argc, char** argv) {
  if (argc != 6) bad_input("usage: dk_bench_pictures FOLDER TRAIN VALID WIDTH HEIGHT");
  const Order order{argv[1], std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4]), std::atoi(argv[5])};
  if (order.train < 1 || order.valid < 0 || order.width < 32 || order.height < 32) bad_input("at least 1 picture of 32 x 32");
  for (const char* part : {"train", "valid", "backup"}) make_folders(join_path(order.folder, part));
  make_pictures(order);
  write_lists(order);
  return 0;
}

}  // namespace
}  // namespace dk

int main(int argc, char** argv) {
  try {
    return dk::run(argc, argv);
  } catch (const dk::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.status());
  }
}
