// The functions of cuDNN that the plug-in and cudnn-frontend call. They have cuDNN's own names, and hand over to the
// library that was opened at run time; nothing is linked. May use cuDNN's headers.
#pragma once

#include <cudnn.h>

#include <string>

#include "engine/cuda/gpu_report.h"

namespace blindspot::cuda {

/// Opens cuDNN 9 if that has not been done. Empty, or why it cannot be used.
std::string open_cudnn();
/// "9.19.0"; cuDNN must be open.
std::string cudnn_version_text();
/// What it says of itself; all 0 where it is not open.
const LibraryFacts& cudnn_facts();

}  // namespace blindspot::cuda
