extension StageRegistry {
  /// All stages of Plumb.
  public static let standard = StageRegistry([
    TokenizerStage.self, PretrainStage.self, DataStage.self, RewardModelStage.self,
    RewardProbeStage.self,
    GeneralPreferenceStage.self, SFTStage.self, PPOStage.self, DPOStage.self, GPOStage.self,
    CompareStage.self, PairPreferenceStage.self, ZeroShotStage.self, MoreStage.self,
    BestOfNStage.self, MaxMinStage.self, CyclicStage.self, TournamentStage.self,
    PolicyGradientStage<GRPO>.self, PolicyGradientStage<RLOO>.self,
    PolicyGradientStage<REINFORCE>.self, PreferenceSuitesStage.self, PreferenceScalingStage.self,
    PreferenceFinetuneStage.self, KTOStage.self, OnlineDPOStage.self, RejectionSamplingStage.self,
    LabelPairsStage.self, TruthBanditStage.self, TruthTokensStage.self, TruthGamesStage.self,
    TruthLanguageDataStage.self, TruthLanguageStage.self,
  ])
}
