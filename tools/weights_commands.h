// The commands behind `blindspot weights` that stand in files of their own, and what they share. Uses command_line.h,
// signals.h and the catalogue of the public interface.
#pragma once

#include <string>

#include "blindspot/catalogue.h"
#include "tools/command_line.h"
#include "tools/signals.h"

namespace blindspot::tools {

int run_weights_list(const Arguments& arguments, const StopSignals& stop);
int run_weights_verify(const Arguments& arguments, const StopSignals& stop);
int run_weights_fetch(const Arguments& arguments, const StopSignals& stop);

/// --catalogue.
void add_catalogue_option(CommandLine& line, std::string& file);
/// The one of the option, else the built-in one.
Catalogue opened_catalogue(const std::string& file);
/// Throws Error(usage), with the name that may have been meant, if there is none.
const CatalogueEntry& entry_named(const Catalogue& catalogue, const std::string& name);
/// As the documents of list and fetch call it: "sha256", "prefix", "announced", "none".
std::string kind_name(PublishedDigest::Kind kind);
/// "97.8 MB", decimal; "-" if it is not known.
std::string bytes_text(std::optional<std::uint64_t> bytes);

}  // namespace blindspot::tools
