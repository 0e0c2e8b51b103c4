// Stands before NVIDIA's header of this name in the include path of the host execution: the part of CUDA that blindspot
// uses, executed by the CPU.
#pragma once

#include "cuda_on_host/device_functions.h"
#include "cuda_on_host/device_types.h"
#include "cuda_on_host/kernel_launch.h"
#include "cuda_on_host/runtime_api.h"
