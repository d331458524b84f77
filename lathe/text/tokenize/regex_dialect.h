// Rewrites a tokenizer's regular expression for PCRE2.
#pragma once

#include <string>
#include <string_view>

namespace lathe::tokenize {

/// The pattern with every \p{..}, \s, \d spelled as ranges of code points from our Unicode tables,
/// so that PCRE2 matches what tokenizers and tiktoken match whatever its own tables know.
///
/// tokenizer.json means Oniguruma and tiktoken means Rust's fancy-regex; read are the parts on
/// which these and PCRE2 agree: literals, . [] () (?:) (?i:) lookaround, atomic groups,
/// alternatives, all quantifiers, ^ $ \A \z \Z, \p{category or script}, \s \d \h \r \n \t \f \v \x
/// \u, (?i) at the very start; and spelled out: \w \b \B as Oniguruma's, sets in sets and
/// intersections ([\p{L}&&[^\p{Han}]]) except where case is ignored. Anything else (back
/// references, names, [:alpha:], other flags) throws kUnsupported and names it. Throws
/// kInvalidArgument for a pattern cut off in the middle or longer than 64 KiB.
std::string rewrite_for_pcre2(std::string_view pattern);

}  // namespace lathe::tokenize
