// Opening the plug-in: absent, of another version, no plug-in at all, and right.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "engine/plugin_loader.h"
#include "tests/plugin/environment_variable.h"
#include "tests/temporary_folder.h"

namespace {

using blindspot::load_plugin;
using blindspot::LoadedPlugin;
using blindspot::plugin_folders;
using blindspot::tests::TemporaryFolder;
using blindspot::tests::Variable;

std::filesystem::path fakes(const std::string& folder) {
  return std::filesystem::path(BLINDSPOT_FAKE_PLUGINS) / folder;
}

void check_refused(const LoadedPlugin& plugin, bool present, const std::string& reason) {
  CHECK(plugin.table == nullptr);
  CHECK(plugin.present == present);
  CHECK(plugin.reason.find(reason) != std::string::npos);
  CHECK(plugin.reason.find('\n') == std::string::npos);
  INFO(plugin.reason);
}

TEST_CASE("no plug-in: nothing is there, and nothing goes wrong") {
  const TemporaryFolder empty;
  check_refused(load_plugin({}), false, "no CUDA device");
  check_refused(load_plugin({empty.path(), "/nowhere"}), false, "no CUDA device");
}

TEST_CASE("a plug-in of another version is refused, both versions named") {
  const LoadedPlugin plugin = load_plugin({fakes("other_version")});
  check_refused(plugin, true, "0.0.9 0123456789abcdef");
  check_refused(plugin, true, blindspot::cuda::interface_text());
}

TEST_CASE("a file that is no plug-in is refused by name") {
  check_refused(load_plugin({fakes("unreadable")}), true, fakes("unreadable").string());
  check_refused(load_plugin({fakes("nameless")}), true, "is no plug-in of blindspot");
}

TEST_CASE("the first folder that holds a plug-in decides") {
  const TemporaryFolder empty;
  const LoadedPlugin plugin = load_plugin({empty.path(), fakes("right"), fakes("other_version")});
  REQUIRE(plugin.table != nullptr);
  CHECK(plugin.present);
  CHECK(plugin.reason.empty());
  CHECK(load_plugin({fakes("other_version"), fakes("right")}).table == nullptr);
}

TEST_CASE("BLINDSPOT_PLUGINS replaces the usual folders, and may be empty") {
  const Variable plugins("BLINDSPOT_PLUGINS", "/a:/b");
  CHECK(plugin_folders() == std::vector<std::filesystem::path>{"/a", "/b"});
  plugins.set("");
  CHECK(plugin_folders().empty());
  plugins.set(std::nullopt);
  const std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  REQUIRE(plugin_folders().size() == 3);
  CHECK(plugin_folders()[0] == beside);
  CHECK(plugin_folders()[1] == beside.parent_path() / "lib");
}

}  // namespace
