extension ConfigurationNode {
  /// Settings that say when a run gives up, waits or warns, and not what it computes.
  ///
  /// Whoever was stopped by one of them changes it and goes on: a checkpoint does not belong to them.
  private static let handling: Set<String> = [
    "on_failure", "on_bad_score", "timeout", "retries", "backoff", "checkpoint_every", "on_alarm",
    "max_length_growth", "max_clipped", "min_distinct", "max_looping", "max_kl", "min_entropy",
    "max_divergence", "min_agreement",
  ]

  /// The node without these settings, at any depth.
  var withoutHandling: ConfigurationNode {
    switch content {
    case .scalar: return self
    case .list(let items):
      return ConfigurationNode(.list(items.map(\.withoutHandling)), at: place)
    case .mapping(let entries, let open):
      // The keys of an open mapping are names that a user gave.
      let kept = (open ? entries : entries.filter { !Self.handling.contains($0.key) }).map {
        Entry(key: $0.key, value: $0.value.withoutHandling, place: $0.place)
      }
      let rest = ConfigurationNode(.mapping(kept, open: open), at: place)
      return rest.plainModel ?? rest
    }
  }

  /// The name alone of a model that judges with nothing else set, as `JudgeChoice` writes it; nil for others.
  private var plainModel: ConfigurationNode? {
    guard let entries, entries.map(\.key) == ["model", "preference_reward"],
      case .scalar(PreferenceReward.off.rawValue, _) = entries[1].value.content
    else { return nil }
    return entries[0].value
  }
}
