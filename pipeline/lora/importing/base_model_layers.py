"""The layers of base models, as lines of a table.

A line is a pattern of flat names, where `{19}` stands for a number below 19, and the layer's width in and out; `*` is
any. Where two trainers or two releases of one model call a layer differently, both names are there.
"""

from collections.abc import Iterable, Iterator
from typing import Final

SDXL_TWINS: Final = frozenset({"Kolors", "Playground v2", "SSD-1B", "Segmind Vega"})
"""Models with SDXL's layers, or some of them, whose weights were trained from the start or cut to size."""

_SINGLE_TO: Final = "to_[qkv]"
_TO: Final = "(?:to_[qkv]|to_out_0)"
_JOINT: Final = "(?:to_[qkv]|to_out_0|add_[qkv]_proj|to_add_out)"


def _joint(blocks: int, width: int) -> Iterator[str]:
    block = f"transformer_blocks_{{{blocks}}}"
    yield f"{block}_attn_{_JOINT} {width} {width}"
    yield f"{block}_ff(?:_context)?_net_0_proj {width} {4 * width}"
    yield f"{block}_ff(?:_context)?_net_2 {4 * width} {width}"


def _single(blocks: int, width: int) -> Iterator[str]:
    block = f"single_transformer_blocks_{{{blocks}}}"
    yield f"{block}_attn_{_SINGLE_TO} {width} {width}"
    yield f"{block}_proj_mlp {width} {4 * width}"
    yield f"{block}_proj_out {5 * width} {width}"


def _norms(double: int, single: int, width: int) -> Iterator[str]:
    yield f"transformer_blocks_{{{double}}}_norm1(?:_context)?_linear {width} {6 * width}"
    yield f"single_transformer_blocks_{{{single}}}_norm_linear {width} {3 * width}"


def _streams(double: int, single: int, width: int, inner: tuple[str, str]) -> Iterator[str]:
    """The double and single stream blocks of Black Forest Labs' code, and of Tencent's after it."""
    block, (first, second) = f"double_blocks_{{{double}}}_(?:img|txt)", inner
    yield f"{block}_attn_qkv {width} {3 * width}"
    yield f"{block}_attn_(?:[qkv]|proj) {width} {width}"
    yield f"{block}_mlp_{first} {width} {4 * width}"
    yield f"{block}_mlp_{second} {4 * width} {width}"
    yield f"single_blocks_{{{single}}}_linear1 {width} {7 * width}"
    yield f"single_blocks_{{{single}}}_linear2 {5 * width} {width}"


def _flux1() -> Iterator[str]:
    yield from (*_chroma_blocks(), *_norms(19, 38, 3072), _first_text(768))
    yield "double_blocks_{19}_(?:img|txt)_mod_lin 3072 18432"
    yield "single_blocks_{38}_modulation_lin 3072 9216"
    yield "(?:double_blocks_{19}|single_blocks_{38})_processor_.+ * *"


def _chroma_blocks() -> Iterator[str]:
    yield from (*_joint(19, 3072), *_single(38, 3072), *_streams(19, 38, 3072, ("0", "2")))
    yield "(?:context_embedder|txt_in) 4096 3072"


def _flux2(double: int, single: int, width: int) -> Iterator[str]:
    block, native = f"transformer_blocks_{{{double}}}", f"double_blocks_{{{double}}}_(?:img|txt)"
    yield f"{block}_attn_{_JOINT} {width} {width}"
    yield f"{block}_ff(?:_context)?_linear_in {width} {6 * width}"
    yield f"{block}_ff(?:_context)?_linear_out {3 * width} {width}"
    yield f"single_transformer_blocks_{{{single}}}_attn_to_qkv_mlp_proj {width} {9 * width}"
    yield f"single_transformer_blocks_{{{single}}}_attn_to_out {4 * width} {width}"
    yield f"{native}_attn_qkv {width} {3 * width}"
    yield f"{native}_attn_proj {width} {width}"
    yield f"{native}_mlp_0 {width} {6 * width}"
    yield f"{native}_mlp_2 {3 * width} {width}"
    yield f"single_blocks_{{{single}}}_linear1 {width} {9 * width}"
    yield f"single_blocks_{{{single}}}_linear2 {4 * width} {width}"
    yield f"(?:double_stream_modulation_(?:img|txt)|single_stream_modulation)_lin(?:ear)? {width} *"


def _hunyuan(double: int, single: int, width: int) -> Iterator[str]:
    yield from (*_joint(double, width), *_single(single, width), *_norms(double, single, width))
    yield from _streams(double, single, width, ("fc1", "fc2"))
    yield f"double_blocks_{{{double}}}_(?:img|txt)_mod_linear {width} {6 * width}"
    yield f"single_blocks_{{{single}}}_modulation_linear {width} {3 * width}"
    yield f"(?:txt_in_individual|context_embedder)_token_refiner.+_(?:qkv|to_[qkv]|proj|fc1) {width} *"


def _hunyuan15() -> Iterator[str]:
    block = "double_blocks_{54}_(?:img|txt)"
    yield from _joint(54, 2048)
    yield f"{block}_attn_(?:[qkv]|proj) 2048 2048"
    yield f"{block}_mlp_fc1 2048 8192"
    yield f"{block}_mlp_fc2 8192 2048"


def _sd3(blocks: int, width: int) -> Iterator[str]:
    block = f"joint_blocks_{{{blocks}}}_(?:x|context)_block"
    yield from _joint(blocks, width)
    yield f"transformer_blocks_{{{blocks}}}_attn2_{_TO} {width} {width}"
    yield f"transformer_blocks_{{{blocks}}}_norm1(?:_context)?_linear {width} *"
    yield f"{block}_attn2?_qkv {width} {3 * width}"
    yield f"{block}_attn2?_(?:to_)?(?:[qkv]|proj) {width} {width}"
    yield f"{block}_mlp_fc1 {width} {4 * width}"
    yield f"{block}_mlp_fc2 {4 * width} {width}"
    yield f"{block}_adaLN_modulation_1 {width} *"
    yield f"context_embedder 4096 {width}"


def _qwen() -> Iterator[str]:
    yield f"transformer_blocks_{{60}}_attn_{_JOINT} 3072 3072"
    yield "transformer_blocks_{60}_(?:img|txt)_mlp_net_0_proj 3072 12288"
    yield "transformer_blocks_{60}_(?:img|txt)_mlp_net_2 12288 3072"
    yield "transformer_blocks_{60}_(?:img|txt)_mod_1 3072 18432"
    yield "txt_in 3584 3072"


_LAYERS: Final = "(?:layers_{30}|noise_refiner_{2}|context_refiner_{2})"


def _z_image() -> Iterator[str]:
    yield f"{_LAYERS}_attention_(?:to_[qkv]|to_out_0|out|wo) 3840 3840"
    yield f"{_LAYERS}_attention_qkv 3840 11520"
    yield f"{_LAYERS}_feed_forward_w[13] 3840 10240"
    yield f"{_LAYERS}_feed_forward_w2 10240 3840"
    yield f"{_LAYERS}_adaLN_modulation_[01] 256 15360"
    yield "cap_embedder_1 2560 3840"


def _lumina() -> Iterator[str]:
    yield f"{_LAYERS}_attention_qkv 2304 3840"
    yield f"{_LAYERS}_attention_(?:out|w[qo]) 2304 2304"
    yield f"{_LAYERS}_attn[12]?_(?:to_q|to_out_0) 2304 2304"
    yield f"{_LAYERS}_attn[12]?_to_[kv] * 768,2304"
    yield f"{_LAYERS}_feed_forward_(?:w|linear_)[13] 2304 *"
    yield f"{_LAYERS}_feed_forward_(?:w|linear_)2 * 2304"
    yield f"{_LAYERS}_(?:adaLN_modulation_1|norm1_linear) 1024 9216"
    yield "cap_embedder_1|time_caption_embed_caption_embedder_1 2304 2304"


def _wan(blocks: int, width: int, inner: int) -> Iterator[str]:
    block = f"(?:vace_)?blocks_{{{blocks}}}"
    yield f"{block}_(?:self|cross)_attn_(?:[qkvo]|[kv]_img) {width} {width}"
    yield f"{block}_attn[12]_(?:to_[qkv]|to_out_0|add_[kv]_proj) {width} {width}"
    yield f"{block}_(?:ffn_0|ffn_net_0_proj) {width} {inner}"
    yield f"{block}_(?:ffn_2|ffn_net_2) {inner} {width}"
    yield f"time_projection_1|condition_embedder_time_proj {width} {6 * width}"
    yield f"text_embedding_0|condition_embedder_text_embedder_linear_1 4096 {width}"


def _pixart() -> Iterator[str]:
    yield f"transformer_blocks_{{28}}_attn[12]_{_TO} 1152 1152"
    yield "transformer_blocks_{28}_ff_net_0_proj 1152 4608"
    yield "transformer_blocks_{28}_ff_net_2 4608 1152"
    yield "adaln_single_linear|t_block_1 1152 6912"
    yield "adaln_single_emb_.+ * 1152"
    yield "caption_projection_linear_1|y_embedder_y_proj_fc1 4096 1152"
    yield from _cross_attention(28, 1152)
    yield "blocks_{28}_mlp_fc1 1152 4608"
    yield "blocks_{28}_mlp_fc2 4608 1152"


def _sana(blocks: int, width: int) -> Iterator[str]:
    yield f"transformer_blocks_{{{blocks}}}_attn[12]_{_TO} {width} {width}"
    yield f"transformer_blocks_{{{blocks}}}_ff_conv_(?:inverted|depth|point) * *"
    yield f"time_embed_linear|t_block_1 {width} {6 * width}"
    yield f"caption_projection_linear_1|y_embedder_y_proj_fc1 2304 {width}"
    yield from _cross_attention(blocks, width)
    yield f"blocks_{{{blocks}}}_mlp_(?:inverted|depth|point)_conv_conv * *"


def _cross_attention(blocks: int, width: int) -> Iterator[str]:
    yield f"blocks_{{{blocks}}}_attn_qkv {width} {3 * width}"
    yield f"blocks_{{{blocks}}}_(?:attn_proj|cross_attn_(?:q_linear|proj)) {width} {width}"
    yield f"blocks_{{{blocks}}}_cross_attn_kv_linear {width} {2 * width}"


def _video(blocks: int, width: int, attention: str) -> Iterator[str]:
    yield f"transformer_blocks_{{{blocks}}}_{attention}_{_TO} {width} {width}"
    yield f"transformer_blocks_{{{blocks}}}_ff_net_0_proj {width} {4 * width}"
    yield f"transformer_blocks_{{{blocks}}}_ff_net_2 {4 * width} {width}"


def _cogvideox(blocks: int, width: int) -> Iterator[str]:
    yield from _video(blocks, width, "attn1")
    yield f"transformer_blocks_{{{blocks}}}_norm[12]_linear 512 {6 * width}"
    yield f"(?:transformer_)?layers_{{{blocks}}}_attention_query_key_value {width} {3 * width}"
    yield f"(?:transformer_)?layers_{{{blocks}}}_attention_dense {width} {width}"
    yield f"(?:transformer_)?layers_{{{blocks}}}_mlp_dense_(?:h_to_4h|4h_to_h) {width},{4 * width} *"


def _ltx(blocks: int, width: int) -> Iterator[str]:
    yield from _video(blocks, width, "attn[12]")
    yield f"transformer_blocks_{{{blocks}}}_(?:audio_|video_to_audio_|audio_to_video_)(?:attn|ff).* * *"
    yield f"adaln_single_linear {width} {6 * width}"
    yield f"caption_projection_linear_1 * {width}"


def _mochi() -> Iterator[str]:
    block, native = "transformer_blocks_{48}", "blocks_{48}"
    yield f"{block}_attn1_{_TO} 3072 3072"
    yield f"{block}_attn1_add_[qkv]_proj 1536 3072"
    yield f"{block}_attn1_to_add_out 3072 1536"
    yield f"{block}_ff_net_0_proj|{native}_mlp_x_w1 3072 16384"
    yield f"{block}_ff_net_2|{native}_mlp_x_w2 8192 3072"
    yield f"{block}_ff_context_net_0_proj|{native}_mlp_y_w1 1536 8192"
    yield f"{block}_ff_context_net_2|{native}_mlp_y_w2 4096 1536"
    yield f"{block}_norm1_linear|{native}_mod_x 3072 12288"
    yield f"{block}_norm1_context_linear.*|{native}_mod_y 3072 1536,6144"
    yield f"{native}_attn_qkv_[xy] 1536,3072 9216"
    yield f"{native}_attn_proj_[xy] 3072 1536,3072"


def _auraflow() -> Iterator[str]:
    yield f"joint_transformer_blocks_{{4}}_attn_{_JOINT} 3072 3072"
    yield f"single_transformer_blocks_{{32}}_attn_{_TO} 3072 3072"
    feed = "(?:joint_transformer_blocks_{4}_ff(?:_context)?|single_transformer_blocks_{32}_ff)"
    yield f"{feed}_linear_[12] 3072 8192"
    yield f"{feed}_out_projection 8192 3072"
    yield "(?:joint_transformer_blocks_{4}|single_transformer_blocks_{32})_norm1(?:_context)?_linear 3072 18432"
    yield "(?:double_layers_{4}|single_layers_{32})_attn_w[12][qkvo] 3072 3072"
    yield "(?:double_layers_{4}|single_layers_{32})_mlp[CX]?_c_(?:fc[12]|proj) * *"
    yield "(?:double_layers_{4}_mod[CX]|single_layers_{32}_modCX)_1 3072 *"


def _hidream() -> Iterator[str]:
    block = "(?:double_stream_blocks_{16}|single_stream_blocks_{32})_(?:block_)?"
    yield f"{block}attn1?_to_(?:[qkv]|out)(?:_t)? 2560 2560"
    yield f"{block}ff_[it]_.+ * *"
    yield f"{block}adaLN_modulation_1 2560 *"
    yield "caption_projection_\\d+_linear 4096 2560"


def _cascade() -> Iterator[str]:
    block = "(?:down|up)_blocks_\\d_\\d+"
    yield f"{block}_(?:attention_)?(?:attn_)?(?:to_[qkv]|to_out_0|in_proj|out_proj) * *"
    yield f"{block}_(?:attention_)?kv_mapper_1 * *"
    yield f"{block}_(?:channelwise_[04]|mapper(?:_\\w+)?|depthwise) * *"
    yield f"lora_prior_te_{_CLIP} 1280,5120 *"
    yield "clip_(?:txt|img|txt_pooled|txt_pool)_mapper * *"


def _hunyuan_dit() -> Iterator[str]:
    yield f"blocks_{{40}}_attn[12]_(?:{_TO}|Wqkv|out_proj|q_proj|kv_proj) 1024,1408 *"
    yield "blocks_{40}_(?:mlp_fc[12]|ff_net_0_proj|ff_net_2|default_modulation_1|norm1_linear|skip_linear) * 1408,6144"


def _unet(blocks: str, widths: str, context: int) -> Iterator[str]:
    yield f"(?:{blocks})_(?:attn1_{_TO}|attn2_to_q|attn2_to_out_0) {widths} {widths}"
    yield f"(?:{blocks})_attn2_to_[kv] {context} *"
    yield f"(?:{blocks})_ff_net_0_proj {widths} *"
    yield f"(?:{blocks})_ff_net_2 * {widths}"


_OLD_BLOCKS: Final = (
    "(?:down_blocks_[012]|up_blocks_[123]|mid_block)_attentions_[012]_transformer_blocks_0"
    "|(?:input_blocks_(?:1|2|4|5|7|8)|middle_block|output_blocks_(?:3|4|5|6|7|8|9|10|11))_1_transformer_blocks_0"
)
_XL_BLOCKS: Final = (
    "(?:down_blocks_1|up_blocks_1)_attentions_[012]_transformer_blocks_{2}"
    "|(?:down_blocks_2|up_blocks_0|mid_block)_attentions_[012]_transformer_blocks_{10}"
    "|(?:input_blocks_[45]|output_blocks_[345])_1_transformer_blocks_{2}"
    "|(?:input_blocks_[78]|middle_block|output_blocks_[012])_1_transformer_blocks_{10}"
)
_REFINER_BLOCKS: Final = (
    "(?:down_blocks_[12]|up_blocks_[12]|mid_block)_attentions_[012]_transformer_blocks_{4}"
    "|(?:input_blocks_[4578]|middle_block|output_blocks_[345678])_1_transformer_blocks_{4}"
)
_CLIP: Final = "(?:text_model_)?(?:encoder_layers|text_projection|final_layer_norm).*"


def _first_text(width: int) -> str:
    encoder = "(?:lora_te1?|text_encoder|clip_[lh]|text_encoders_clip_[lh]_transformer|lycoris_text_encoder)"
    return f"{encoder}_{_CLIP} {width},{4 * width} *"


def _sd(context: int, clip: int) -> Iterator[str]:
    yield from (*_unet(_OLD_BLOCKS, "320,640,1280", context), _first_text(clip))


def _sdxl() -> Iterator[str]:
    yield from _unet(_XL_BLOCKS, "640,1280", 2048)
    yield from _texts()
    yield "(?:add_embedding_linear_1|label_emb_0_0) 2816 1280"


def _texts() -> Iterator[str]:
    yield _first_text(768)
    yield f"(?:lora_te2|text_encoder_2|clip_g|text_encoders_clip_g_transformer)_{_CLIP} 1280,5120 *"


def _kolors() -> Iterator[str]:
    yield from _unet(_XL_BLOCKS, "640,1280", 2048)
    yield "encoder_hid_proj 4096 2048"
    yield "(?:add_embedding_linear_1|label_emb_0_0) 5632 1280"


def base_model_layers() -> Iterator[tuple[str, Iterable[str]]]:
    """The table.

    Yields:
        A base's name as people write it, and the lines of its layers.
    """
    yield "FLUX.1", _flux1()
    yield "Chroma", (*_chroma_blocks(), "distilled_guidance_layer_.+ * *")
    yield "FLUX.2", (*_flux2(8, 48, 6144), *_flux2(5, 20, 3072), *_flux2(8, 24, 4096))
    yield "SD 3", (*_sd3(24, 1536), *_sd3(38, 2432), *_texts(), "(?:lora_te3|text_encoder_3)_.+ * *")
    yield "Qwen-Image", _qwen()
    yield "Z-Image", _z_image()
    yield "Wan", (*_wan(30, 1536, 8960), *_wan(30, 3072, 14336), *_wan(40, 5120, 13824))
    yield "HunyuanVideo", (*_hunyuan(20, 40, 3072), *_hunyuan15(), _first_text(768))
    yield "HunyuanImage", _hunyuan(20, 40, 3584)
    yield "Hunyuan-DiT", _hunyuan_dit()
    yield "PixArt", _pixart()
    yield "Sana", (*_sana(60, 2240), *_sana(28, 1152))
    yield "CogVideoX", (*_cogvideox(30, 1920), *_cogvideox(42, 3072))
    yield "CogView4", _video(28, 4096, "attn1")
    yield "Mochi", _mochi()
    yield "LTX-Video", (*_ltx(28, 2048), *_ltx(48, 4096))
    yield "Stable Cascade", _cascade()
    yield "Lumina", _lumina()
    yield "AuraFlow", _auraflow()
    yield "HiDream", (*_hidream(), *_texts())
    yield "SD 1.5", _sd(768, 768)
    yield "SD 2", _sd(1024, 1024)
    yield "SDXL", _sdxl()
    yield "the SDXL refiner", _unet(_REFINER_BLOCKS, "768,1536", 1280)
    yield "Kolors", _kolors()
