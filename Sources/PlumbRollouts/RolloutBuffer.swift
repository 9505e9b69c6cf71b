/// Prompts with their responses: the one meeting point of the policy optimisers.
///
/// Filled by sampling, or from preference pairs (K = 2, off-policy). PPO reads tokens and scores, DPO
/// the best and the worst response, GPO all K and the table. It can be written to disk and read back.
public struct RolloutBuffer: Hashable, Sendable {
  /// Where the responses come from.
  public struct Provenance: Codable, Hashable, Sendable {
    /// How the buffer was filled.
    public enum Source: String, Codable, Hashable, Sendable {
      /// By sampling from the policy.
      case sampled
      /// From a data set of preference pairs: the first response is the chosen one.
      case preferencePairs
    }

    /// How the buffer was filled.
    public var source: Source
    /// Which policy or data set, for a person.
    public var origin: String
    /// Round of sampling.
    public var step: Int
    /// How tokens were drawn; nil for pairs.
    public var sampling: SamplingOptions?

    /// Makes a provenance.
    public init(source: Source, origin: String, step: Int = 0, sampling: SamplingOptions? = nil) {
      self.source = source
      self.origin = origin
      self.step = step
      self.sampling = sampling
    }
  }

  /// Prompts with their responses.
  public var groups: [RolloutGroup]
  /// Where they come from.
  public var provenance: Provenance

  /// Makes a buffer.
  public init(groups: [RolloutGroup], provenance: Provenance) {
    self.groups = groups
    self.provenance = provenance
  }

  /// Number of responses in all groups.
  public var responseCount: Int { groups.reduce(0) { $0 + $1.responses.count } }

  /// Temperature that divides the logits in every log-prob of this buffer.
  public var logprobTemperature: Float { provenance.sampling?.logprobTemperature ?? 1 }

  /// All responses, groups in order, with their places.
  public var places: [ResponsePlace] {
    groups.indices.flatMap { group in
      groups[group].responses.indices.map { ResponsePlace(group: group, response: $0) }
    }
  }

  /// The response at a place.
  public subscript(place: ResponsePlace) -> Rollout {
    get { groups[place.group].responses[place.response] }
    set { groups[place.group].responses[place.response] = newValue }
  }
}

/// Names a response of a buffer.
public struct ResponsePlace: Hashable, Sendable {
  /// Index of the group.
  public let group: Int
  /// Index of the response in its group.
  public let response: Int

  /// Makes a place.
  public init(group: Int, response: Int) {
    self.group = group
    self.response = response
  }
}
