// Finding and reading the images of an evaluation: class folders, labels, lists, what is refused and what is listed.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "blindspot/demo.h"
#include "engine/evaluation/image_reading.h"
#include "tests/temporary_folder.h"

using namespace blindspot;
using namespace blindspot::evaluation;
namespace fs = std::filesystem;

namespace {

class Folder : public tests::TemporaryFolder {
 public:
  void picture(const std::string& name, std::uint64_t number = 0) const {
    fs::create_directories((path() / name).parent_path());
    write_png(path() / name, draw_picture(static_cast<int>(number % 10), number, 1));
  }
};

const Preprocessing small{32, 0, 32, Interpolation::bilinear, {}, {}};

struct ReadImages {
  std::vector<ListedImage> images;
  std::vector<std::pair<std::string, std::string>> unreadable;
};

ReadImages read_all(const std::vector<FoundImage>& images, std::int64_t limit, std::vector<Preprocessing> sizes) {
  ImageReading reading(images, limit, std::move(sizes));
  ReadImages all;
  for (std::vector<ListedImage> some = reading.next({}); !some.empty(); some = reading.next({})) {
    all.images.insert(all.images.end(), some.begin(), some.end());
  }
  all.unreadable = reading.unreadable();
  return all;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("class folders are classes in the order of their names") {
  const Folder folder;
  folder.picture("b/2.png");
  folder.picture("a/1.png");
  folder.picture("c/x.png");
  folder.picture(".hidden/x.png");
  folder.picture("b/deeper/x.png");
  folder.write("loose.txt", "a note");
  const FoundImages found = find_images(folder.path(), {});
  REQUIRE(found.images.size() == 3);
  CHECK(found.images[0].name == "a/1.png");
  CHECK(found.images[0].label == 0);
  CHECK(found.images[1].label == 1);
  CHECK(found.images[2].label == 2);
  CHECK(found.classes == 3);
  REQUIRE(found.unreadable.size() == 2);
  CHECK(found.unreadable[0].first == "b/deeper");
  CHECK(contains(found.unreadable[0].second, "is a folder within a class folder"));
  CHECK(found.unreadable[1].first == "loose.txt");
  CHECK_THROWS_AS(find_images(folder.path(), folder.path() / "loose.txt"), Error);
}

TEST_CASE("a class folder with the name of another class is refused") {
  const Folder folder;
  for (const char* const name : {"bird/1.png", "cat/1.png", "crane/1.png"}) folder.picture(name);
  fs::create_directories(folder.path() / "empty");
  const FoundImages found = find_images(folder.path(), {});
  CHECK(found.class_folders == std::vector<std::string>{"bird", "cat", "crane", "empty"});
  const auto refusal_with = [&](std::vector<std::string> classes) {
    ModelInformation network;
    network.name = "net.pth";
    network.classes = std::move(classes);
    return message_of([&] { check_class_folders(found, folder.path(), network); });
  };
  CHECK(refusal_with({}).empty());
  CHECK(refusal_with({"tench", "goldfish", "shark", "ray"}).empty());
  CHECK(refusal_with({"bird", "cat", "crane"}).empty());
  CHECK(refusal_with({"bird", "goldfish", "crane", "ray"}).empty());
  CHECK(refusal_with({"bird", "crane", "crane", "ray"}).empty());  // two of one name
  const std::string message = refusal_with({"cat", "bird", "dog", "ray"});
  CHECK(contains(message, folder.path().string() + ": folder bird is class 0 by its place"));
  CHECK(contains(message, "net.pth calls class 1 so and class 0 cat"));
  CHECK(contains(refusal_with({"bird", "dog", "cow", "cat", "crane"}), "folder cat is class 1"));
  CHECK(contains(refusal_with({"bird", "cat", "crane", "cow", "empty"}), "folder empty is class 3"));
}

TEST_CASE("a folder with labels") {
  const Folder folder;
  fs::create_directories(folder.path() / "val");
  folder.picture("val/one.png");
  folder.picture("val/two.png");
  const fs::path images = folder.path() / "val", labels = folder.path() / "labels.txt";
  folder.write("labels.txt", "# file, class\none.png 7\r\ntwo.png, 3\n\n");
  const FoundImages found = find_images(images, labels);
  REQUIRE(found.images.size() == 2);
  CHECK(found.images[0].label == 7);
  CHECK(found.images[1].label == 3);
  CHECK(found.classes == 8);
  const auto refused = [&](const std::string& text, const std::string& part) {
    folder.write("labels.txt", text);
    CHECK_MESSAGE(contains(message_of([&] { find_images(images, labels); }), part), text);
  };
  refused("one.png 7\n", "has no class for two.png");
  refused("one.png 7\ntwo.png 3\nthree.png 1\n", "three.png is not in");
  refused("one.png 7\ntwo.png cat\n", "\"two.png cat\" has no class");
  refused("one.png 7\ntwo.png -3\n", "has no class");
  refused("one.png 7\none.png 7\ntwo.png 1\n", "one.png twice");
}

TEST_CASE("a flat folder has no classes, an empty one no images") {
  const Folder folder;
  CHECK(contains(message_of([&] { find_images(folder.path(), {}); }), "holds no images"));
  folder.picture("x.png");
  const FoundImages found = find_images(folder.path(), {});
  CHECK(found.images.size() == 1);
  CHECK_FALSE(found.images[0].label);
  CHECK(found.classes == 0);
  CHECK(contains(message_of([&] { find_images(folder.path() / "nowhere", {}); }), "does not exist"));
}

TEST_CASE("a list file, relative to its folder") {
  const Folder folder;
  folder.picture("deep/a b.png");
  folder.picture("c.png");
  folder.write("list", "deep/a b.png 2\nc.png 0\n");
  const FoundImages found = find_images(folder.path() / "list", {});
  REQUIRE(found.images.size() == 2);
  CHECK(found.images[1].name == "deep/a b.png");
  CHECK(found.images[1].label == 2);
  const ReadImages listed = read_all(found.images, 0, {small});
  CHECK(listed.images.size() == 2);
  CHECK(listed.images[0].pictures[0].width == 32);
  folder.write("list", "deep/a b.png 2\nc.png\n");
  CHECK(contains(message_of([&] { find_images(folder.path() / "list", {}); }), "1 of 2 lines have a class"));
}

TEST_CASE("what cannot be read is listed and does not count") {
  const Folder folder;
  for (int i = 0; i < 5; ++i) folder.picture(std::to_string(i) + ".png", static_cast<std::uint64_t>(i));
  folder.write("1.png", "no picture");
  const FoundImages found = find_images(folder.path(), {});
  const ReadImages all = read_all(found.images, 0, {small, small});
  REQUIRE(all.images.size() == 4);
  CHECK(all.images[1].found.name == "2.png");
  CHECK(all.images[1].pictures.size() == 2);
  CHECK(all.images[0].sha256.size() == 64);
  REQUIRE(all.unreadable.size() == 1);
  CHECK(all.unreadable[0].first == "1.png");
  CHECK_FALSE(contains(all.unreadable[0].second, folder.path().string()));
  const ReadImages first = read_all(found.images, 1, {small});
  CHECK(first.images.size() == 1);
  CHECK(first.unreadable.empty());
  ImageReading stopped(found.images, 0, {small});
  CHECK_THROWS_AS(stopped.next([] { return true; }), Stopped);
}

TEST_CASE("images come in their order, some at a time, and may be left unread") {
  const Folder folder;
  for (std::uint64_t i = 0; i < 4; ++i) folder.picture(std::to_string(i) + ".png", i);
  std::vector<FoundImage> images;
  for (int i = 0; i < 150; ++i) {
    const std::string name = std::to_string(i % 4) + ".png";
    images.push_back({std::to_string(i), folder.path() / name, std::nullopt});
  }
  const ReadImages all = read_all(images, 100, {small});
  REQUIRE(all.images.size() == 100);
  for (std::size_t i = 0; i < 100; ++i) CHECK(all.images[i].found.name == std::to_string(i));
  ImageReading left(images, 0, {small});
  CHECK_FALSE(left.next({}).empty());
}

TEST_CASE("what goes wrong with the reading itself is thrown where the images are taken") {
  const Folder folder;
  folder.picture("a.png");
  const Preprocessing without_crop{32, 0, 0, Interpolation::bilinear, {}, {}};
  CHECK(contains(message_of([&] { read_all(find_images(folder.path(), {}).images, 0, {without_crop}); }), "--crop 0"));
}

TEST_CASE("a file that the disk refuses is listed, too") {
  const Folder folder;
  folder.picture("a.png");
  folder.write("list", "a.png\n/proc/self/mem\n");  // address 0: EIO
  const ReadImages listed = read_all(find_images(folder.path() / "list", {}).images, 0, {small});
  CHECK(listed.images.size() == 1);
  REQUIRE(listed.unreadable.size() == 1);
  CHECK(listed.unreadable[0].second == "cannot be read");
}

TEST_CASE("the run's own files are no images") {
  const Folder folder;
  folder.picture("a/1.png");
  for (const char* name : {"run.db", "run.db-wal", "run.db-shm", "run.db-journal", "a/labels.txt"}) {
    folder.write(name, "1.png 3\n");
  }
  fs::create_symlink("run.db", folder.path() / "link.db");
  const fs::path images = folder.path() / "a";
  CHECK(find_images(folder.path(), {}, folder.path() / "run.db").unreadable.size() == 1);  // the link
  CHECK(find_images(folder.path(), {}, folder.path() / "a/../link.db").unreadable.empty());
  const FoundImages found = find_images(images, images / "labels.txt", images / "other.db");
  REQUIRE(found.images.size() == 1);
  CHECK(found.images[0].label == 3);
}

TEST_CASE("links to nothing or to themselves are listed") {
  const Folder folder;
  folder.picture("a/1.png");
  fs::create_symlink("nowhere", folder.path() / "a/gone.png");
  fs::create_symlink("loop.png", folder.path() / "a/loop.png");
  fs::create_symlink("loop", folder.path() / "loop");
  const FoundImages flat = find_images(folder.path() / "a", {});
  CHECK(flat.images.size() == 1);
  REQUIRE(flat.unreadable.size() == 2);
  CHECK(flat.unreadable[0] == std::pair<std::string, std::string>("gone.png", "is a link to nothing"));
  CHECK(contains(flat.unreadable[1].second, "cannot be read: "));
  const FoundImages classes = find_images(folder.path(), {});
  CHECK(classes.images.size() == 1);
  REQUIRE(classes.unreadable.size() == 3);
  CHECK(classes.unreadable[0].first == "a/gone.png");
  CHECK(classes.unreadable[2].first == "loop");
  folder.write("labels.txt", "1.png 1\ngone.png 2\n");
  CHECK(find_images(folder.path() / "a", folder.path() / "labels.txt").images[0].label == 1);
}
