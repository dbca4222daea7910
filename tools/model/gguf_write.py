"""Writes weights and tokenizer as a GGUF that llama.cpp runs without further settings; reads weights back."""

import gguf
import numpy as np

import model
import tokenizer as T

NAME = "field-report"
DESCRIPTION = ("Turns a field report into one line of JSON: category, urgency and number of people. "
               "Made by tools/model/make.py.")


def write(path, weights, shape, tokens):
    out = gguf.GGUFWriter(path, "llama")
    out.add_name(NAME)
    out.add_description(DESCRIPTION)
    out.add_license("MIT OR Apache-2.0")
    out.add_languages(["en"])
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    out.add_context_length(shape.context)
    out.add_embedding_length(shape.width)
    out.add_block_count(shape.layers)
    out.add_feed_forward_length(shape.hidden)
    out.add_head_count(shape.heads)
    out.add_head_count_kv(shape.heads)
    out.add_rope_dimension_count(shape.width // shape.heads)
    out.add_rope_freq_base(model.ROPE_BASE)
    out.add_layer_norm_rms_eps(model.EPSILON)
    out.add_vocab_size(shape.vocabulary)
    _add_tokenizer(out, tokens)
    for name, weight in weights.items():
        # Matrices as f16; the norms stay f32, as llama.cpp wants them.
        out.add_tensor(name, weight.astype(np.float16 if weight.ndim == 2 else np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def _add_tokenizer(out, tokens):
    out.add_tokenizer_model("llama")
    out.add_tokenizer_pre("default")
    out.add_token_list(tokens.texts)
    out.add_token_scores(tokens.scores)
    out.add_token_types(tokens.types)
    out.add_bos_token_id(tokens.ids[T.BOS])
    out.add_eos_token_id(tokens.ids[T.IM_END])
    out.add_unk_token_id(tokens.ids[T.UNKNOWN])
    # The prompt begins with a control token, and training saw neither a BOS nor a space in front.
    out.add_add_bos_token(False)
    out.add_add_eos_token(False)
    out.add_add_space_prefix(False)
    out.add_chat_template(T.CHAT_TEMPLATE)


def read_weights(path):
    """The weights as the file has them, in f32."""
    return {t.name: np.array(t.data, dtype=np.float32) for t in gguf.GGUFReader(path).tensors}
