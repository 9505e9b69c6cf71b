public import PlumbCheckpoints

extension DecoderConfiguration {
  /// Reads the configuration out of the metadata of a GGUF file.
  ///
  /// The architectures `llama`, `qwen2` and `qwen3`. Every key of the architecture must be one that
  /// is known: what is not computed here is refused by its name, never passed over.
  /// - Throws: `ModelError` for missing keys, sizes that do not fit and everything that Plumb does
  ///   not implement; `CheckpointError` for values of the wrong type.
  public init(_ file: GGUFFile) throws {
    let metadata = try GGUFModelMetadata(file)
    try metadata.refuseUnsupported()
    let heads = try metadata.size("attention.head_count")
    let hidden = try metadata.size("embedding_length")
    self.init(
      family: metadata.family,
      vocabularySize: try metadata.vocabularySize(),
      hiddenSize: hidden,
      intermediateSize: try metadata.size("feed_forward_length"),
      layerCount: try metadata.size("block_count"),
      headCount: heads,
      keyValueHeadCount: try metadata.size("attention.head_count_kv", default: heads),
      headDimension: try metadata.headDimension(hidden: hidden, heads: heads),
      maximumPositions: try metadata.size("context_length"),
      normEpsilon: try metadata.positive("attention.layer_norm_rms_epsilon"),
      ropeBase: try metadata.positive("rope.freq_base", default: 10_000),
      tiesEmbeddings: !file.tensors.contains { $0.name == "output.weight" })
    bosTokenID = try metadata.tokenID("bos", below: vocabularySize)
    padTokenID = try metadata.tokenID("padding", below: vocabularySize)
    for name in ["eos", "eot"] {
      guard let id = try metadata.tokenID(name, below: vocabularySize) else { continue }
      if !eosTokenIDs.contains(id) { eosTokenIDs.append(id) }
    }
    try validate(path: file.path)
  }
}
