// Package gitops is a pipeline for a desired state that lives in a repository: plan.sh plans on a pull request and writes
// the comment for its reviewers, apply.sh applies the saved plan on merge, pipeline.yml has a CI run both. The plan is
// refused if the host has changed in between.
package gitops
