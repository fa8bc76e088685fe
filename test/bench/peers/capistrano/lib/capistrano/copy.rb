require 'capistrano/scm/plugin'

module Capistrano
  # The copy strategy: an archive of the folder is made once, uploaded to all servers, and unpacked there.
  class Copy < SCM::Plugin
    ARCHIVE = 'release.tar'.freeze
    GZIP = ENV.fetch('STRATEGY') == 'copy-gzip'

    def register_hooks
      after 'deploy:new_release_path', 'copy:create_release'
      before 'deploy:set_current_revision', 'copy:set_current_revision'
    end

    def define_tasks
      namespace :copy do
        task :create_release do
          archive = File.join(ENV.fetch('SCRATCH'), ARCHIVE)
          pack = GZIP ? '| gzip -1' : ''
          run_locally { execute "tar -c -C #{ENV.fetch('SOURCE')} . #{pack} > #{archive}" }
          on release_roles(:all) do
            execute :mkdir, '-p', release_path
            upload! archive, release_path.join(ARCHIVE)
            within(release_path) { execute :tar, GZIP ? '-xzf' : '-xf', ARCHIVE }
            execute :rm, release_path.join(ARCHIVE)
          end
        end

        task(:set_current_revision) { set :current_revision, 'copy' }
      end
    end
  end
end
