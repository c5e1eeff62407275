// The user's text files: encodings, .data, .names, image lists; each kind of damage is named with file and line.
#include "doctest/doctest.h"

#include <sys/stat.h>

#include "data/data_file.h"
#include "data/image_list.h"
#include "data/names_file.h"
#include "data/text_file.h"
#include "temp_folder.h"

using namespace dk;
using namespace dk_test;
using namespace std::string_literals;

TEST_SUITE("text_file") {
  TEST_CASE("a UTF-8 mark is dropped, UTF-16 and binary files are refused by name") {
    const TempFolder folder;
    CHECK(read_text_file(folder.write("a.txt", "\xEF\xBB\xBFone\n")) == "one\n");
    const std::string little = folder.write("b.txt",
                                            "\xFF\xFE"
                                            "a\0\n\0"s);
    CHECK(contains(error_of([&] { read_text_file(little); }), "b.txt: this is UTF-16"));
    const std::string big = folder.write("c.txt", "\xFE\xFF\0a"s);
    CHECK(contains(error_of([&] { read_text_file(big); }), "UTF-16"));
    const std::string unmarked = folder.write("d.txt", "a\0b\0"s);
    CHECK(contains(error_of([&] { read_text_file(unmarked); }), "zero bytes"));
  }

  TEST_CASE("a missing file, a folder, a pipe and a file over the limit are errors and nothing waits") {
    const TempFolder folder;
    CHECK(contains(error_of([&] { read_text_file(folder.path("no.txt")); }), "no.txt"));
    CHECK(contains(error_of([&] { read_text_file(folder.path("")); }), "regular file"));
    REQUIRE(mkfifo(folder.path("pipe").c_str(), 0600) == 0);
    CHECK(contains(error_of([&] { read_text_file(folder.path("pipe")); }), "regular file"));
    const std::string large = folder.write("large.txt", std::string(1000, 'x'));
    CHECK(contains(error_of([&] { read_text_file(large, 999); }), "999"));
    CHECK(read_text_file(large, 1000).size() == 1000);
  }

  TEST_CASE("lines end with LF or CR LF; the last needs no end") {
    CHECK(split_lines("").empty());
    CHECK(split_lines("a\r\nb\n\nc") == std::vector<std::string_view>{"a", "b", "", "c"});
    CHECK(split_lines("a\n") == std::vector<std::string_view>{"a"});
    CHECK(trim(" \ta b\r ") == "a b");
    CHECK(trim(" \t").empty());
  }

  TEST_CASE("names in messages stay one readable line") {
    CHECK(shown("a b\u00e4\u6f22\U0001F600") == "a b\u00e4\u6f22\U0001F600");
    CHECK(shown("a\nb\xff\xc0\x80\xed\xa0\x80") == "a\\x0Ab\\xFF\\xC0\\x80\\xED\\xA0\\x80");
    CHECK(shown(std::string(100, 'a'), 10) == "aaaaaaaaaa...");
  }
}

TEST_SUITE("data_file") {
  TEST_CASE("keys, blanks inside values, comments, CR LF") {
    const DataFile data = parse_data_file(
        "# made by hand\r\nclasses= 3\r\n train = my images/train list.txt \r\n;valid = no\r\n"
        "names=obj.names\nbackup = back up/\nsaveweights = 500\nsavelast=50\n",
        "x/obj.data");
    CHECK(data.classes == 3);
    CHECK(data.train == "my images/train list.txt");
    CHECK(data.valid.empty());
    CHECK(data.names == "obj.names");
    CHECK(data.backup == "back up/");
    CHECK(data.results == "results");
    CHECK(data.eval == "voc");
    CHECK(data.saveweights == 500);
    CHECK(data.savelast == 50);
    CHECK(data.warnings.empty());
  }

  TEST_CASE("the first of two values holds; unknown keys warn") {
    const DataFile data = parse_data_file("train = a\ntrain = b\ntop = 5\nvalid = a=b\n", "obj.data");
    CHECK(data.train == "a");
    CHECK(data.valid == "a=b");
    REQUIRE(data.warnings.size() == 2);
    CHECK(contains(data.warnings[0], "obj.data:2:"));
    CHECK(contains(data.warnings[1], "obj.data:3: unknown key 'top'"));
  }

  TEST_CASE("malformed lines name file and line") {
    const auto message = [](const char* text) { return error_of([&] { parse_data_file(text, "obj.data"); }); };
    CHECK(contains(message("classes = 2\njust words\n"), "obj.data:2: 'just words'"));
    CHECK(contains(message("classes = two\n"), "obj.data:1: classes = two"));
    CHECK(contains(message("classes = 0\n"), "from 1 to 10000"));
    CHECK(contains(message("classes = 99999999999999\n"), "obj.data:1"));
    CHECK(contains(message("\n\ntrain =\n"), "obj.data:3: train has no value"));
    CHECK(contains(message("= a\n"), "expected 'key = value'"));
    CHECK(contains(message("savelast = 1.5\n"), "savelast"));
  }

  TEST_CASE("a path is looked for from here, then beside the file") {
    const TempFolder folder;
    folder.write("lists/train.txt", "x");
    const std::string base = folder.write("lists/obj.data", "train = train.txt\n");
    CHECK(resolve_path(read_data_file(base).train, base) == folder.path("lists/train.txt"));
    CHECK(resolve_path("nowhere.txt", base) == "nowhere.txt");
    CHECK(resolve_path("/absolute.txt", base) == "/absolute.txt");
    CHECK(resolve_path("", base).empty());
  }
}

TEST_SUITE("names_file") {
  TEST_CASE("one name a line, trimmed; empty lines at the end are no names") {
    CHECK(parse_names("car\r\n red blood cell \r\n\r\n\n", "n") == std::vector<std::string>{"car", "red blood cell"});
    CHECK(parse_names("\u732b", "n") == std::vector<std::string>{"\u732b"});
  }

  TEST_CASE("empty files, gaps and excess are refused") {
    CHECK(contains(error_of([] { parse_names(" \n\n", "obj.names"); }), "obj.names: no names"));
    CHECK(contains(error_of([] { parse_names("a\n\nb\n", "obj.names"); }), "obj.names:2: class 1 has no name"));
    std::string many;
    for (int i = 0; i <= 10000; ++i) many += "n\n";
    CHECK(contains(error_of([&] { parse_names(many, "obj.names"); }), "10001 names"));
    CHECK(contains(error_of([] { parse_names("a\n" + std::string(2000, 'b'), "obj.names"); }), "obj.names:2"));
  }
}

TEST_SUITE("image_list") {
  TEST_CASE("entries are found beside the list; duplicates and their order stay; odd names work") {
    const TempFolder folder;
    const std::string odd = "odd \xff $(x) '\".jpg";
    for (const std::string& name : {"a.jpg"s, "b c.jpg"s, odd}) folder.write("img/" + name, "x");
    const std::string list =
        folder.write("train.txt", "\xEF\xBB\xBFimg/a.jpg\r\n\r\n  img/b c.jpg \nimg/" + odd + "\nimg/a.jpg\nmissing.jpg");
    CHECK(read_image_list(list) == std::vector<std::string>{folder.path("img/a.jpg"), folder.path("img/b c.jpg"),
                                                            folder.path("img/" + odd), folder.path("img/a.jpg"), "missing.jpg"});
  }

  TEST_CASE("a name that really ends with a blank is kept") {
    const TempFolder folder;
    folder.write("a.jpg ", "x");
    CHECK(read_image_list(folder.write("train.txt", "a.jpg \n")).at(0) == folder.path("a.jpg "));
  }

  TEST_CASE("an empty list and an endless path are errors") {
    CHECK(contains(error_of([] { parse_image_list("\n \r\n", "train.txt"); }), "train.txt: the list names no image"));
    CHECK(contains(error_of([] { parse_image_list("a\n" + std::string(5000, 'b'), "train.txt"); }), "train.txt:2"));
  }
}
