import PlumbModels
import PlumbPreferences
import PlumbTokenizers

/// Rounds of an on-line stage that are watched; see ``runOnPolicy(_:settings:judge:reference:encoder:context:watch:)``.
///
/// - Parameter watch: made before the prompts are read, since its held-out judge must have room for
///   them.
/// - Returns: the watch's part of the report.
func runWatched<L: OnPolicyLearner>(
  _ learner: inout L, settings: OnPolicySettings, judge: any Judge, reference: CausalLM,
  encoder: ConversationEncoder, context: StageContext, watch: RolloutWatch
) throws -> [ReportSection] {
  var observer: (any RolloutObserver)? = watch
  try runOnPolicy(
    &learner, settings: settings, judge: judge, reference: reference, encoder: encoder,
    context: context, watch: &observer)
  return (observer as? RolloutWatch)?.sections ?? []
}
