// The arguments of one command: what they are called, what they fill, and the help that follows from it. Hides CLI11,
// so that messages are one line of ours and do not change with its version; uses the public error type only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace blindspot::tools {

using Arguments = std::vector<std::string>;

enum class Need : bool { optional, required };

class CommandLine {
 public:
  /// `example`: one line or more, shown beneath the options.
  CommandLine(const std::string& command, const std::string& description, const std::string& example);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;
  ~CommandLine();

  /// One argument without a dash.
  void argument(const std::string& name, std::string& value, const std::string& description,
                Need need = Need::required);
  /// One or more of them, or any number, after all others.
  void arguments(const std::string& name, std::vector<std::string>& values, const std::string& description,
                 Need need = Need::required);
  /// Present or not; `take` is called only if it is there.
  void flag(const std::string& names, const std::string& description, const std::function<void(bool)>& take);
  void flag(const std::string& names, const std::string& description, bool& value);
  /// One value, handed to `take`, which throws Error(usage) if it cannot be.
  void option(const std::string& names, const std::string& placeholder, const std::string& description,
              const std::function<void(const std::string&)>& take, Need need = Need::optional);
  void option(const std::string& names, const std::string& placeholder, const std::string& description,
              std::string& value, Need need = Need::optional);
  /// One value or more; may be repeated.
  void list(const std::string& names, const std::string& placeholder, const std::string& description,
            std::vector<std::string>& values, Need need = Need::optional);
  /// Options that follow go under this heading of the help.
  void heading(const std::string& text);

  /// False: help was asked for and printed. Throws Error(usage) for anything that does not fit.
  bool parse(const Arguments& arguments);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace blindspot::tools
