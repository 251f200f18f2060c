// A client's settings, checked and copied.
#pragma once

#include <cstdint>
#include <string>

#include "posebridge/posebridge.h"

namespace posebridge {

struct Settings {
  std::string endpoint, client_name, layout_id, token;
  std::string server_public_key, client_public_key, client_secret_key;
  posebridge_config numbers{};  // defaults filled in; its strings are not used
};

// What posebridge_default_config gives.
posebridge_config default_config();

// Check a config and fill in defaults. On failure `error` says which field, what was wrong and what would be right.
bool read_settings(const posebridge_config& config, Settings& settings, posebridge_error& error);

// 1 to POSEBRIDGE_MAX_NAME of A-Z a-z 0-9 _ . : -
bool is_name(const char* text);

void set_error(posebridge_error& error, std::int32_t code, const char* field, const char* problem, const char* expected);

}  // namespace posebridge
