// Reads the program's symbol table once, from its own file.
#include "program_symbols.h"

#include <cxxabi.h>
#include <elf.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

// Two places that are known both to the program and to the symbol table.
extern "C" {
[[gnu::used, gnu::noinline]] void blindspot_cuda_on_host_function() {}
constinit thread_local char blindspot_cuda_on_host_variable = 0;
}

namespace cuda_on_host {

namespace {

struct Symbol {
  std::string name;
  std::uint64_t value = 0, bytes = 0;
  unsigned type = 0;
};

std::vector<Symbol> read_symbols() {
  std::ifstream file("/proc/self/exe", std::ios::binary | std::ios::ate);
  std::vector<char> bytes(file ? static_cast<std::size_t>(file.tellg()) : 0);
  file.seekg(0).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::vector<Symbol> symbols;
  Elf64_Ehdr header;
  if (bytes.size() < sizeof header) return symbols;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto section = [&](std::size_t number) {
    Elf64_Shdr result;
    std::memcpy(&result, bytes.data() + header.e_shoff + number * sizeof result, sizeof result);
    return result;
  };
  for (std::size_t number = 0; number < header.e_shnum; ++number) {
    const Elf64_Shdr table = section(number);
    if (table.sh_type != SHT_SYMTAB) continue;
    const char* const names = bytes.data() + section(table.sh_link).sh_offset;
    for (std::size_t at = 0; at < table.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, bytes.data() + table.sh_offset + at, sizeof symbol);
      const unsigned type = ELF64_ST_TYPE(symbol.st_info);
      if (symbol.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_TLS)) continue;
      symbols.push_back({names + symbol.st_name, symbol.st_value, symbol.st_size, type});
    }
  }
  return symbols;
}

// A variable of a function that can be device code. One with a guard runs a constructor, and is no shared variable.
bool is_shared_variable(const Symbol& symbol) {
  const std::string_view name = symbol.name;
  return symbol.type == STT_TLS &&
         (name.starts_with("_ZZN9blindspot7kernels") || name.starts_with("_ZZN12_GLOBAL__N_1"));
}

std::string readable(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  return status == 0 ? text.get() : name;
}

class ProgramSymbols {
 public:
  ProgramSymbols() : symbols_(read_symbols()) {
    for (const Symbol& symbol : symbols_) {
      if (symbol.name == "blindspot_cuda_on_host_function") function_ = symbol.value;
      if (symbol.name == "blindspot_cuda_on_host_variable") variable_ = symbol.value;
    }
    for (const Symbol& symbol : symbols_) {
      if (is_shared_variable(symbol)) all_.push_back(place(symbol));
    }
  }

  std::span<const SharedVariable> all() const { return all_; }

  const KernelSymbols& of(const void* kernel) {
    const std::lock_guard lock(mutex_);
    const auto [found, fresh] = kernels_.try_emplace(kernel);
    if (fresh) found->second = find(kernel);
    return found->second;
  }

 private:
  SharedVariable place(const Symbol& symbol) const {
    return {static_cast<std::ptrdiff_t>(symbol.value) - static_cast<std::ptrdiff_t>(variable_),
            static_cast<std::size_t>(symbol.bytes)};
  }

  KernelSymbols find(const void* kernel) const {
    const auto here = reinterpret_cast<std::uintptr_t>(&blindspot_cuda_on_host_function);
    const std::uint64_t value = reinterpret_cast<std::uintptr_t>(kernel) - here + function_;
    std::array<char, 32> address{};
    std::snprintf(address.data(), address.size(), "at %p", kernel);
    KernelSymbols result{address.data(), {}};
    for (const Symbol& symbol : symbols_) {
      if (symbol.type != STT_FUNC || symbol.value != value) continue;
      result.name = readable(symbol.name);
      // A variable `v` of function _ZN…x is _ZZN…xE1v.
      const std::string prefix = symbol.name.starts_with("_Z") ? "_ZZ" + symbol.name.substr(2) + "E" : symbol.name;
      for (const Symbol& variable : symbols_) {
        if (is_shared_variable(variable) && variable.name.starts_with(prefix)) {
          result.variables.push_back(place(variable));
        }
      }
      break;
    }
    return result;
  }

  std::vector<Symbol> symbols_;
  std::uint64_t function_ = 0, variable_ = 0;
  std::vector<SharedVariable> all_;
  std::mutex mutex_;
  std::map<const void*, KernelSymbols> kernels_;
};

ProgramSymbols& program() {
  static ProgramSymbols only;
  return only;
}

}  // namespace

const KernelSymbols& symbols_of(const void* kernel) {
  return program().of(kernel);
}
std::span<const SharedVariable> all_shared_variables() {
  return program().all();
}

void poison(std::span<const SharedVariable> variables) {
  char* base = &blindspot_cuda_on_host_variable;
  // The compiler must not know how large what lies there is.
  asm("" : "+r"(base));
  for (const SharedVariable& variable : variables) std::memset(base + variable.offset, 0xFF, variable.bytes);
}

}  // namespace cuda_on_host
