lock '~> 3.17'
set :application, 'site'
set :deploy_to, ENV.fetch('ROOT')
set :repo_url, ENV.fetch('REPOSITORY')
set :branch, 'main'
# Only what is deployed is fetched, not the history.
set :git_shallow_clone, 1
# Old releases are removed between the measurements, for all tools.
set :keep_releases, 1000
set :ssh_options, {
  user: 'root', keys: [ENV.fetch('IDENTITY')], keys_only: true, config: false, auth_methods: %w[publickey],
  user_known_hosts_file: [ENV.fetch('KNOWN_HOSTS')], global_known_hosts_file: [], verify_host_key: :always
}
