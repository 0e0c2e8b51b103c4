// Implementation of command_line.h, and the only file that sees CLI11. Values are taken as text and read by our own
// functions, so what a number may look like is decided here and not by the library.
#include "tools/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <stdexcept>

#include "blindspot/error.h"
#include "tools/near_miss.h"

namespace blindspot::tools {

namespace {

/// An option in the place of a value means that the value was forgotten.
void refuse_option_as_value(const std::string& option, const std::string& value) {
  if (value.starts_with("--") || value.empty()) {
    throw Error(ErrorKind::usage, fmt::format("{} needs a value, not {}", option, value.empty() ? "nothing" : value));
  }
}

/// "-o,--output" is called "-o" in messages.
std::string main_name(const std::string& names) {
  const std::size_t comma = names.find(',');
  return comma == std::string::npos ? names : names.substr(0, comma);
}

/// The lines after the first stand below it.
std::string indented(std::string lines) {
  for (std::size_t at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at + 1)) {
    lines.insert(at + 1, "  ");
  }
  return lines;
}

}  // namespace

struct CommandLine::Implementation {
  Implementation(const std::string& name, const std::string& what_it_does)
      : app(what_it_does, "blindspot " + name), command(name) {}

  CLI::App app;
  std::string command;
  std::string group = "Options";
  std::vector<std::string> option_names;

  void remember(CLI::Option* option, const std::string& placeholder, Need need) {
    option->group(group);
    option->type_name(placeholder);
    option->required(need == Need::required);
    for (const std::string& name : option->get_lnames()) option_names.push_back("--" + name);
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorKind::usage, fmt::format("{} (see blindspot {} --help)", what, command));
  }

  /// CLI11 reads what stands behind a flag's "=" as a number by functions of the standard library, whose errors are not
  /// its own.
  [[noreturn]] void refuse_flag_value(const Arguments& arguments) const {
    for (const std::string& word : arguments) {
      const std::string name = word.substr(0, word.find('='));
      const CLI::Option* const option = app.get_option_no_throw(name);
      if (name != word && option != nullptr && option->get_items_expected_max() == 0) refuse(name + " takes no value");
    }
    refuse("a flag takes no value");
  }

  void refuse_surplus() const {
    const std::vector<std::string> surplus = app.remaining();
    if (surplus.empty()) return;
    const auto option =
        std::find_if(surplus.begin(), surplus.end(), [](const std::string& text) { return text.starts_with("-"); });
    if (option == surplus.end()) refuse(fmt::format("one argument too many: {}", surplus.front()));
    const std::string name = option->substr(0, option->find('='));
    refuse(fmt::format("no option {}{}", name, near_miss(name, option_names)));
  }
};

CommandLine::CommandLine(const std::string& command, const std::string& description, const std::string& example)
    : implementation_(std::make_unique<Implementation>(command, description)) {
  CLI::App& app = implementation_->app;
  app.footer("\nExample:\n  " + indented(example));
  app.set_help_flag("-h,--help", "Print this help");
  app.allow_extras();
  app.get_formatter()->column_width(38);
}

CommandLine::~CommandLine() = default;

void CommandLine::argument(const std::string& name, std::string& value, const std::string& description, Need need) {
  const auto take = [name, &value](const std::string& text) {
    refuse_option_as_value(name, text);
    value = text;
  };
  implementation_->app.add_option_function<std::string>(name, take, description)
      ->type_name("")
      ->required(need == Need::required);
}

void CommandLine::arguments(const std::string& name, std::vector<std::string>& values, const std::string& description,
                            Need need) {
  const auto take = [name, &values](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) refuse_option_as_value(name, text);
    values = texts;
  };
  implementation_->app.add_option_function<std::vector<std::string>>(name, take, description)
      ->type_name("")
      ->required(need == Need::required);
}

void CommandLine::flag(const std::string& names, const std::string& description,
                       const std::function<void(bool)>& take) {
  CLI::Option* option = implementation_->app.add_flag_function(
      names, [take](std::int64_t count) { take(count > 0); }, description);
  option->group(implementation_->group);
  for (const std::string& name : option->get_lnames()) implementation_->option_names.push_back("--" + name);
}

void CommandLine::flag(const std::string& names, const std::string& description, bool& value) {
  flag(names, description, [&value](bool given) { value = given; });
}

void CommandLine::option(const std::string& names, const std::string& placeholder, const std::string& description,
                         const std::function<void(const std::string&)>& take, Need need) {
  const auto checked = [name = main_name(names), take](const std::string& text) {
    refuse_option_as_value(name, text);
    take(text);
  };
  implementation_->remember(implementation_->app.add_option_function<std::string>(names, checked, description),
                            placeholder, need);
}

void CommandLine::option(const std::string& names, const std::string& placeholder, const std::string& description,
                         std::string& value, Need need) {
  option(
      names, placeholder, description, [&value](const std::string& text) { value = text; }, need);
}

void CommandLine::list(const std::string& names, const std::string& placeholder, const std::string& description,
                       std::vector<std::string>& values, Need need) {
  const auto take = [name = main_name(names), &values](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) refuse_option_as_value(name, text);
    values = texts;
  };
  implementation_->remember(
      implementation_->app.add_option_function<std::vector<std::string>>(names, take, description), placeholder, need);
}

void CommandLine::heading(const std::string& text) {
  implementation_->group = text;
}

bool CommandLine::parse(const Arguments& arguments) {
  Implementation& self = *implementation_;
  try {
    // CLI11 takes the words from the end.
    self.app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    std::cout << self.app.help();
    return false;
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string message = error.what();
    const std::string name = message.substr(0, message.find(':'));
    const bool missing = message.find("missing") != std::string::npos;
    self.refuse(name + (missing ? ": needs a value" : ": is given more than once"));
  } catch (const CLI::RequiredError& error) {
    // An unknown option is the likelier cause of what seems to be missing.
    self.refuse_surplus();
    self.refuse(error.what());
  } catch (const CLI::ParseError& error) {
    self.refuse(error.what());
  } catch (const std::logic_error&) {
    self.refuse_flag_value(arguments);
  }
  self.refuse_surplus();
  return true;
}

}  // namespace blindspot::tools
