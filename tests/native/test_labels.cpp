// Label paths against the table of darknet.md 1.4.1, label lines, and what becomes of images with bad labels.
#include "doctest/doctest.h"

#include "data/dataset.h"
#include "data/labels.h"
#include "temp_folder.h"

using namespace dk;
using namespace dk_test;

namespace {

std::string reason_of(const std::string& line, int classes = 3) {
  const Labels labels = parse_labels(line, "a.txt", classes);
  REQUIRE(labels.bad_lines == 1);
  CHECK(labels.boxes.empty());
  return labels.issues.at(0).reason;
}

}  // namespace

TEST_SUITE("labels") {
  TEST_CASE("label paths") {
    const std::pair<const char*, const char*> table[] = {
        {"data/obj/a.jpg", "data/obj/a.txt"},
        {"/d/images/a.jpg", "/d/images/a.txt"},
        {"/coco/images/train2017/a.jpg", "/coco/labels/train2017/a.txt"},
        {"/coco/images/val2014/a.jpg", "/coco/labels/val2014/a.txt"},
        {"C:\\VOC\\JPEGImages\\a.bmp", "C:\\VOC\\labels\\a.txt"},
        {"C:\\c\\images\\val2017\\a.png", "C:\\c\\labels\\val2017\\a.txt"},
        {"/x/JPEGImages/JPEGImages/a.jpg", "/x/labels/JPEGImages/a.txt"},
        {"JPEGImages/a.jpg", "JPEGImages/a.txt"},
        {"a.b.c.jpeg", "a.b.c.txt"},
        {"a.jpg.png", "a.jpg.txt"},
        {"dir.jpg/x.png", "dir.jpg/x.txt"},
        {" a.JPG\t", "a.txt"},
        {"a.webp", "a.txt"},
        {"a.Jpg", "a.txt"},
        {"dir.x/noextension", "dir.x/noextension.txt"},
        {"a.txt", "a.txt.txt"},
    };
    for (const auto& [image, label] : table) CHECK(label_path_for(image) == label);
  }

  TEST_CASE("good lines in their usual spellings") {
    const Labels labels = parse_labels("0 0.5 0.25 0.5 0.125\r\n\r\n  2\t1e-1 .5 1 1.0 \n1 0.02 0.5 0.5 0.5", "a.txt", 3);
    CHECK(labels.bad_lines == 0);
    REQUIRE(labels.boxes.size() == 3);
    CHECK(labels.boxes[0].class_id == 0);
    CHECK(labels.boxes[0].y == 0.25f);
    CHECK(labels.boxes[0].h == 0.125f);
    CHECK(labels.boxes[1].class_id == 2);
    CHECK(labels.boxes[1].x == doctest::Approx(0.1));
    CHECK(labels.boxes[2].x == 0.02f);
    CHECK(parse_labels("", "a.txt", 3).is_negative());
  }

  TEST_CASE("each kind of bad line is named") {
    CHECK(contains(reason_of("0 0.5 0.5 0.5"), "found 4"));
    CHECK(contains(reason_of("0 0.5 0.5 0.5 0.5 0.9"), "at least 6"));
    CHECK(contains(reason_of("0.0 0.5 0.5 0.5 0.5"), "class '0.0'"));
    CHECK(contains(reason_of("car 0.5 0.5 0.5 0.5"), "class 'car'"));
    CHECK(contains(reason_of("-1 0.5 0.5 0.5 0.5"), "negative"));
    CHECK(contains(reason_of("3 0.5 0.5 0.5 0.5"), "classes 0 to 2"));
    CHECK(contains(reason_of("2147483648 0.5 0.5 0.5 0.5"), "classes 0 to 2"));
    CHECK(contains(reason_of("99999999999999999999 0.5 0.5 0.5 0.5"), "not a whole number"));
    CHECK(contains(reason_of("0 0,5 0.5 0.5 0.5"), "decimal point"));
    CHECK(contains(reason_of("0 0.5x 0.5 0.5 0.5"), "'0.5x' is not a number"));
    CHECK(contains(reason_of("0 nan 0.5 0.5 0.5"), "not finite"));
    CHECK(contains(reason_of("0 0.5 0.5 inf 0.5"), "not finite"));
    CHECK(contains(reason_of("0 0.5 0.5 1e99 0.5"), "not a number"));
    CHECK(contains(reason_of("0 0.5 0.5 0 0.5"), "above 0"));
    CHECK(contains(reason_of("0 0.5 0.5 0.5 -0.5"), "above 0"));
    CHECK(contains(reason_of("0 320 240 50 60"), "pixels"));
    CHECK(contains(reason_of("0 1.5 0.5 0.5 0.5"), "outside"));
    CHECK(contains(reason_of("0 0 0 0.5 0.5"), "centre"));
  }

  TEST_CASE("the line is named, good neighbours stay, and the list of issues is bounded") {
    std::string text = "0 .5 .5 .5 .5\n";
    for (int i = 0; i < 1000; ++i) text += "bad\n";
    const Labels labels = parse_labels(text + "1 .5 .5 .5 .5\n", "a.txt", 3);
    CHECK(labels.boxes.size() == 2);
    CHECK(labels.bad_lines == 1000);
    CHECK(labels.issues.size() == kMostIssuesPerFile);
    CHECK(labels.issues[0].line == 2);
    CHECK(labels.issues[0].file == "a.txt");
    const Labels endless = parse_labels(std::string(100001, '\n'), "a.txt", 3);
    CHECK(endless.bad_lines == 1);
    CHECK(endless.issues[0].line == 0);
  }

  TEST_CASE("files that can't be read are issues, not exceptions") {
    const TempFolder folder;
    CHECK(read_labels(folder.path("none.txt"), 3).missing);
    CHECK(contains(read_labels(folder.path(""), 3).issues.at(0).reason, "not a regular file"));
    CHECK(contains(read_labels(folder.write("u.txt",
                                            "\xFF\xFE"
                                            "0"),
                               3)
                       .issues.at(0)
                       .reason,
                   "UTF-16"));
  }
}

TEST_SUITE("dataset") {
  TEST_CASE("bad labels never make a silent negative") {
    const TempFolder folder;
    folder.write("good.txt", "0 .5 .5 .5 .5\n1 .5 .5 .2 .2\n");
    folder.write("mixed.txt", "0 .5 .5 .5 .5\n7 .5 .5 .5 .5\n");
    folder.write("negative.txt", "");
    folder.write("bad.txt", "0 nan .5 .5 .5\n");
    std::vector<std::string> list;
    for (const char* name : {"good.jpg", "bad.jpg", "mixed.png", "negative.jpg", "lost.jpg", "good.jpg"})
      list.push_back(folder.path(name));
    const Dataset data = open_dataset(list, 2);
    CHECK(data.images == std::vector<std::string>{list[0], list[2], list[3], list[5]});
    CHECK(data.labels.size() == 4);
    CHECK(data.labels[1].boxes.size() == 1);
    CHECK(data.labels[1].issues.size() == 1);
    const DatasetReport& report = data.report;
    CHECK(report.listed == 6);
    CHECK(report.used == 4);
    CHECK(report.negatives == 1);
    CHECK(report.boxes == 5);
    CHECK(report.missing == 1);
    CHECK(report.unusable == 1);
    CHECK(report.bad_lines == 2);
    CHECK(report.issues.size() == 3);
    const std::string summary = report.summary();
    CHECK(contains(summary, "6 images listed, 4 used (1 without objects), 5 boxes"));
    CHECK(contains(summary, "bad.txt:1: a number is not finite"));
    CHECK(contains(summary, "lost.txt: no such label file"));

    const Dataset lenient = open_dataset(list, 2, MissingLabels::negative);
    CHECK(lenient.images.size() == 5);
    CHECK(lenient.report.negatives == 2);
    CHECK(lenient.report.missing == 1);
    CHECK(contains(error_of([&] { open_dataset({list[1], list[4]}, 2); }), "no image of the list can be used"));
  }

  TEST_CASE("the result doesn't depend on the number of threads") {
    const TempFolder folder;
    std::vector<std::string> list;
    for (int i = 0; i < 700; ++i) {
      const std::string stem = "n" + std::to_string(i);
      if (i % 7 != 0) folder.write(stem + ".txt", strf("%d .5 .5 .%d .5\n", i % 5, 1 + i % 9));
      list.push_back(folder.path(stem + ".jpg"));
    }
    const Dataset one = open_dataset(list, 4, MissingLabels::exclude, 1), four = open_dataset(list, 4, MissingLabels::exclude, 4);
    CHECK(one.images == four.images);
    CHECK(one.images.size() == 480);
    CHECK(one.report.summary(100) == four.report.summary(100));
  }
}
