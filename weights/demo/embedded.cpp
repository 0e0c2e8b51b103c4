// Implementation of embedded.h: the assembler takes both files into the read-only data of the object. CMakeLists.txt
// says where they lie (BLINDSPOT_DEMO_FOLDER), since the assembler knows no other way to be told.
#include "weights/demo/embedded.h"

#include <cstdint>

// Names and sizes of the symbols below are what the extern declarations say.
asm(R"(
    .pushsection .rodata
    .hidden blindspot_demo_resnet, blindspot_demo_resnet_size, blindspot_demo_vit, blindspot_demo_vit_size
    .global blindspot_demo_resnet, blindspot_demo_resnet_size, blindspot_demo_vit, blindspot_demo_vit_size
    .balign 64
    blindspot_demo_resnet: .incbin ")" BLINDSPOT_DEMO_FOLDER R"(/demo-resnet.safetensors"
    .Lblindspot_demo_resnet_end:
    .balign 64
    blindspot_demo_vit: .incbin ")" BLINDSPOT_DEMO_FOLDER R"(/demo-vit.safetensors"
    .Lblindspot_demo_vit_end:
    .balign 8
    blindspot_demo_resnet_size: .quad .Lblindspot_demo_resnet_end - blindspot_demo_resnet
    blindspot_demo_vit_size: .quad .Lblindspot_demo_vit_end - blindspot_demo_vit
    .popsection
)");

extern "C" {
[[gnu::visibility("hidden")]] extern const std::byte blindspot_demo_resnet[];
[[gnu::visibility("hidden")]] extern const std::uint64_t blindspot_demo_resnet_size;
[[gnu::visibility("hidden")]] extern const std::byte blindspot_demo_vit[];
[[gnu::visibility("hidden")]] extern const std::uint64_t blindspot_demo_vit_size;
}

namespace blindspot::weights {

std::span<const std::byte> embedded_weights(std::string_view name) {
  if (name == "demo-resnet") return {blindspot_demo_resnet, blindspot_demo_resnet_size};
  if (name == "demo-vit") return {blindspot_demo_vit, blindspot_demo_vit_size};
  return {};
}

}  // namespace blindspot::weights
