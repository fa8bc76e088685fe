File.readlines(ENV.fetch('SERVERS'), chomp: true).each { |host| server host, roles: %w[app web] }
