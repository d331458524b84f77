"""The corpus of the GGUF fuzz target: small files by gguf-py 0.19, other hands than ours.

  python tools/golden/gguf_corpus.py tests/fuzz/corpus/gguf
"""
import gguf, numpy as np, sys
rng=np.random.default_rng(0)
out=sys.argv[1]
def make(arch, path, layers=1, quant=False, extra=None):
    D,F,H,K,V=32,64,4,2,12
    w=gguf.GGUFWriter(path,arch)
    w.add_block_count(layers); w.add_context_length(64); w.add_embedding_length(D); w.add_feed_forward_length(F)
    w.add_head_count(H); w.add_layer_norm_rms_eps(1e-5)
    w.add_head_count_kv(K); w.add_vocab_size(V); w.add_rope_dimension_count(D//H); w.add_rope_freq_base(10000.0)
    toks=["<unk>","<s>","</s>"]+[chr(97+i) for i in range(7)]+["ab","Ġa"]
    w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("smollm"); w.add_token_list(toks)
    w.add_token_types([3,3,3]+[1]*9); w.add_token_merges(["a b","Ġ a"]); w.add_bos_token_id(1); w.add_eos_token_id(2)
    w.add_add_bos_token(False)
    t=lambda *s: rng.standard_normal(s).astype(np.float32)
    def put(n,a):
        if quant and a.ndim==2 and a.shape[-1]%32==0:
            q=gguf.quants.quantize(a,gguf.GGMLQuantizationType.Q8_0); w.add_tensor(n,q,raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else: w.add_tensor(n,a)
    put("token_embd.weight",t(V,D)); put("output_norm.weight",t(D))
    for i in range(layers):
        p=f"blk.{i}."
        put(p+"attn_norm.weight",t(D)); put(p+"attn_q.weight",t(D,D)); put(p+"attn_k.weight",t(D*K//H,D)); put(p+"attn_v.weight",t(D*K//H,D))
        put(p+"attn_output.weight",t(D,D)); put(p+"ffn_norm.weight",t(D)); put(p+"ffn_gate.weight",t(F,D)); put(p+"ffn_up.weight",t(F,D)); put(p+"ffn_down.weight",t(D,F))
    if arch=="llama" and extra=="rope": put("rope_freqs.weight",np.array([1,2,4,8],np.float32))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
make("llama",out+"/llama_q8_0.gguf",quant=True)
make("llama",out+"/llama_rope.gguf",extra="rope")
w=gguf.GGUFWriter(out+"/types.gguf","none")
w.add_uint8("a.u8",1);w.add_int8("a.i8",-1);w.add_uint16("a.u16",2);w.add_int16("a.i16",-2);w.add_uint64("a.u64",1<<40);w.add_int64("a.i64",-5);w.add_float64("a.f64",.1);w.add_bool("a.b",True);w.add_array("a.l",[1,2,3]);w.add_array("a.s",["x",""]);w.add_array("a.f",[1.5,2.5]);w.add_custom_alignment(64)
w.add_tensor("t",np.arange(6,dtype=np.float16).reshape(2,3))
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
