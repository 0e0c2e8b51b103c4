// The commands of the program: one function each, in the file of the command's name. Uses command_line.h
// and signals.h.
#pragma once

#include "tools/command_line.h"
#include "tools/signals.h"

namespace blindspot::tools {

// Each takes the words behind its name, prints results to stdout and messages to stderr, and returns the exit code;
// what goes wrong is thrown as Error, and Stopped where a signal ended the work.
int run_traverse(const Arguments& arguments, const StopSignals& stop);
int run_grid(const Arguments& arguments, const StopSignals& stop);
int run_triangle(const Arguments& arguments, const StopSignals& stop);
int run_path(const Arguments& arguments, const StopSignals& stop);
int run_simplex(const Arguments& arguments, const StopSignals& stop);
int run_width(const Arguments& arguments, const StopSignals& stop);
int run_distance(const Arguments& arguments, const StopSignals& stop);
int run_classify(const Arguments& arguments, const StopSignals& stop);
int run_gradient(const Arguments& arguments, const StopSignals& stop);
int run_verify(const Arguments& arguments, const StopSignals& stop);
int run_weights(const Arguments& arguments, const StopSignals& stop);
int run_devices(const Arguments& arguments, const StopSignals& stop);
int run_bench(const Arguments& arguments, const StopSignals& stop);
int run_demo(const Arguments& arguments, const StopSignals& stop);
int run_evaluate(const Arguments& arguments, const StopSignals& stop);
int run_merge(const Arguments& arguments, const StopSignals& stop);
int run_table(const Arguments& arguments, const StopSignals& stop);
int run_export(const Arguments& arguments, const StopSignals& stop);

/// Exit code of a run that finished but left something out.
inline constexpr int left_something_out = 5;

}  // namespace blindspot::tools
