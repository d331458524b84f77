#include "lathe/app/store/git_blob.h"

#include <openssl/evp.h>

#include <memory>

#include "lathe/base/error.h"

namespace lathe::store {

std::string git_blob_id(std::string_view contents) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(::EVP_MD_CTX_new(),
                                                                          &::EVP_MD_CTX_free);
  const std::string head = fmt::format("blob {}", contents.size());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const bool ok = context != nullptr &&
                  ::EVP_DigestInit_ex(context.get(), ::EVP_sha1(), nullptr) == 1 &&
                  ::EVP_DigestUpdate(context.get(), head.c_str(), head.size() + 1) == 1 &&
                  ::EVP_DigestUpdate(context.get(), contents.data(), contents.size()) == 1 &&
                  ::EVP_DigestFinal_ex(context.get(), digest, &size) == 1;
  if (!ok) fail(ErrorCode::kInternal, "SHA-1: OpenSSL cannot compute it here");
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace lathe::store
